"""A stand-in that really runs, shared by the tests that only look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.api import Api
from cli.deploy.stand_in import MACHINE_ENV, Deployed, deploy
from cli.stand_in import StandIn


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in on a fresh folder."""
    with StandIn(tmp_path_factory.mktemp("cloud"), 0, MACHINE_ENV) as running:
        yield running


@pytest.fixture(scope="session")
def deployed(stand_in: StandIn) -> Deployed:
    """The product on it."""
    return deploy(stand_in.ready, stand_in.state, ())


@pytest.fixture(scope="session")
def api(deployed: Deployed) -> Api:
    """Its APIs, as the person at the keyboard."""
    return Api(deployed.settings)
