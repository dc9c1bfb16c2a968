"""The deployed world of the journeys: one for the session; each journey has uploads of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.used_grants import UsedGrants
from tests.journeys.world import World, start

TRAINERS = sorted(p for p in (Path(__file__).parent / "trainers").iterdir() if p.is_dir())
MINIMAL = Path(__file__).parents[2] / "workload" / "trainers" / "minimal"


@pytest.fixture(scope="session")
def used_grants(request: pytest.FixtureRequest, testrun_uid: str) -> Iterator[UsedGrants]:
    """Which grants the session's journeys used; kept only of a session with every journey."""
    used = UsedGrants(testrun_uid)
    yield used
    here = Path(__file__).parent
    if {item.path for item in request.session.items} >= set(here.glob("test_*.py")):
        used.write()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, used_grants: UsedGrants) -> Iterator[World]:
    """One stand-in with the product and every trainer deployed."""
    stand_in, world = start(tmp_path_factory.mktemp("world"), [MINIMAL, *TRAINERS])
    yield world
    used_grants.note(world)
    stand_in.__exit__(None, None, None)


@pytest.fixture
def own_world(tmp_path: Path, used_grants: UsedGrants) -> Iterator[World]:
    """A stand-in for one journey that moves the clock or plants what others must not meet."""
    stand_in, world = start(tmp_path / "world", [MINIMAL, *TRAINERS])
    yield world
    used_grants.note(world)
    stand_in.__exit__(None, None, None)


@pytest.fixture(scope="session")
def patients() -> bytes:
    """The Wisconsin breast-cancer data as CSV: 569 rows, 30 features, the diagnosis last."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    head = ",".join([*(str(name) for name in data.feature_names), "diagnosis"])
    rows = [
        ",".join([*(repr(float(value)) for value in row), str(data.target_names[target])])
        for row, target in zip(data.data, data.target, strict=True)
    ]
    return "\n".join([head, *rows, ""]).encode()


@pytest.fixture
def few_lines() -> bytes:
    """A small CSV, for journeys that are not about the training."""
    return b"a,b,c\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n" * 5
