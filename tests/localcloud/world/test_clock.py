"""The stand-in's time: shared with its processes, never going back, leaping over what nothing real fills."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from localcloud.world.beat import task
from localcloud.world.clock import Clock, shared_by
from localcloud.world.cloud import Cloud
from tests.localcloud.conftest import World, eventually, start

HOUR = 3600.0
_SEEN: list[tuple[str, float]] = []


@task("test.awaited")
def awaited(cloud: Cloud, payload: dict[str, object]) -> None:
    """Work that somebody waits for."""
    _SEEN.append((str(payload["name"]), cloud.clock.now()))


@task("test.ahead", awaited=False)
def ahead(cloud: Cloud, payload: dict[str, object]) -> None:
    """Work that merely lies ahead."""
    awaited(cloud, payload)


@pytest.fixture
def leaping(tmp_path: Path) -> Iterator[World]:
    """A stand-in of its own whose clock leaps."""
    world = start(tmp_path)
    world.cloud.clock.leap(True)
    _SEEN.clear()
    yield world
    world.server.stop()


def names() -> list[str]:
    """What was done, in order."""
    return [name for name, _ in _SEEN]


def test_it_leaps_to_what_is_awaited_through_what_lies_before(leaping: World) -> None:
    """Six hours pass at once; a schedule before them happens on the way, one after them attracts nobody."""
    beat, began, real = leaping.cloud.beat, leaping.cloud.clock.now(), time.monotonic()
    with leaping.cloud.clock.working():  # not before all three are planned
        beat.later(7 * HOUR, "test.ahead", {"name": "after"})
        beat.later(6 * HOUR, "test.awaited", {"name": "awaited"})
        beat.later(5 * HOUR, "test.ahead", {"name": "before"})
    eventually(lambda: names() == ["before", "awaited"])
    at = dict(_SEEN)
    assert at["before"] - began == pytest.approx(5 * HOUR, abs=60)
    assert at["awaited"] - began == pytest.approx(6 * HOUR, abs=60)
    time.sleep(0.2)
    assert names() == ["before", "awaited"]
    assert leaping.cloud.clock.now() - began < 6 * HOUR + 120
    assert time.monotonic() - real < 60


def test_real_work_holds_it_up(leaping: World) -> None:
    """While something real is under way the clock runs as the machine's does."""
    clock = leaping.cloud.clock
    with clock.working():
        leaping.cloud.beat.later(HOUR, "test.awaited", {"name": "later"})
        began = clock.now()
        time.sleep(0.3)
        assert clock.now() - began < 1
        assert names() == []
    eventually(lambda: names() == ["later"])


def test_a_workflow_that_sleeps_is_leapt_to(leaping: World) -> None:
    """A thread that waits for a moment attracts the clock as a planned task does."""
    clock, stop = leaping.cloud.clock, threading.Event()
    began, real = clock.now(), time.monotonic()
    assert clock.wait_until(began + 24 * HOUR, stop)
    assert time.monotonic() - real < 5


def test_whoever_only_looks_does_not_hold_it_up(leaping: World) -> None:
    """The person at the keyboard may ask all the time."""
    leaping.cloud.beat.later(HOUR, "test.awaited", {"name": "later"})
    bucket = f"{leaping.cloud.endpoint}/storage/v1/b?project=demo-project"
    eventually(lambda: requests.get(bucket, timeout=5) and names() == ["later"])


def test_it_does_not_go_back_after_a_kill(tmp_path: Path) -> None:
    """What was advanced, frozen or set to leap is so for the next process on the same folder."""
    first = Clock(shared_by(tmp_path))
    first.advance(HOUR)
    first.freeze()
    first.leap(True)
    second = Clock(shared_by(tmp_path))
    assert second.now() == first.now() > time.time() + HOUR - 5
    assert second.frozen
    assert second.leaps
    second.thaw()
    assert not Clock(shared_by(tmp_path)).frozen


def _told(folder: Path, code: str) -> list[float]:
    environment = {"PYTHONPATH": str(folder)}
    argv = [sys.executable, "-c", "import time\nfrom datetime import UTC, datetime\n" + code]
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, timeout=20)
    return [float(word) for word in done.stdout.split()]


@pytest.mark.parametrize(
    "expression",
    [
        "time.time()",
        "time.time_ns() / 1e9",
        "datetime.now(UTC).timestamp()",
        "datetime.now().timestamp()",
        "datetime.utcnow().replace(tzinfo=UTC).timestamp()",
    ],
)
def test_a_process_reads_the_same_time(tmp_path: Path, expression: str) -> None:
    """Whichever way it asks, with the clock ahead and with the clock frozen."""
    clock = Clock(shared_by(tmp_path))
    clock.advance(6 * HOUR)
    (ahead_,) = _told(tmp_path, f"print({expression})")
    assert clock.now() - 20 < ahead_ <= clock.now()
    clock.freeze()
    (frozen,) = _told(tmp_path, f"print({expression})")
    assert frozen == pytest.approx(clock.now(), abs=1e-3)


def test_a_process_sees_time_move_while_it_runs(tmp_path: Path) -> None:
    """It does not keep the time that it was started with; what it measures stays the machine's."""
    clock = Clock(shared_by(tmp_path))
    code = "print(time.time(), time.monotonic())\ninput()\nprint(time.time(), time.monotonic())"
    process = subprocess.Popen(
        [sys.executable, "-uc", "import time\n" + code],
        env={"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = [float(word) for word in process.stdout.readline().split()]
    clock.advance(HOUR)
    out, _ = process.communicate("\n", timeout=20)
    second = [float(word) for word in out.split()]
    assert second[0] - first[0] >= HOUR
    assert second[1] - first[1] < 60


def test_its_values_are_plain(tmp_path: Path) -> None:
    """A datetime from there is Python's own class, also through a class derived from it."""
    Clock(shared_by(tmp_path)).advance(HOUR)
    code = "class D(datetime): pass\nassert type(datetime.now()) is datetime\nprint(D.now(UTC).timestamp())"
    (told,) = _told(tmp_path, code)
    assert datetime.fromtimestamp(told, UTC).timestamp() > time.time() + HOUR - 30
