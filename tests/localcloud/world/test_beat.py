"""Work that is due and fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.world.beat import TASKS
from localcloud.world.cloud import Cloud
from tests.localcloud.conftest import eventually


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A world of which only the heart beats."""
    made = Cloud(tmp_path)
    made.beat.start()
    yield made
    made.beat.stop()


def test_a_task_that_fails_is_tried_six_times(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a growing pause each time, told on standard error; then it is dropped."""
    tries = threading.Semaphore(0)

    def fail(_: Cloud, payload: dict[str, Any]) -> None:
        tries.release()
        raise RuntimeError(payload["word"])

    monkeypatch.setitem(TASKS, "test.fails", fail)
    cloud.beat.later(0, "test.fails", {"word": "no luck"})
    for _ in range(6):
        eventually(lambda: (tries.acquire(timeout=0.05), cloud.clock.advance(10))[0])
    eventually(lambda: not cloud.store.due(cloud.clock.now() + 1000))
    cloud.clock.advance(1000)
    assert not tries.acquire(timeout=0.5)
    told = capsys.readouterr().err
    assert [f"test.fails failed ({number})" in told for number in range(1, 8)] == [True] * 6 + [False]


def test_a_task_that_fails_because_the_stand_in_stops_is_left_to_the_next_start(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its row stays as it is, and nothing is told."""
    begun, stopped = threading.Event(), threading.Event()

    def fail(*_: object) -> None:
        begun.set()
        stopped.wait(10)
        raise RuntimeError("the world is gone")

    monkeypatch.setitem(TASKS, "test.fails", fail)
    cloud.beat.later(0, "test.fails", {})
    assert begun.wait(10)
    cloud.beat.stop()
    stopped.set()
    eventually(lambda: not cloud.beat._running)
    (row,) = cloud.store.due(cloud.clock.now())
    assert (row.task, row.failures) == ("test.fails", 0)
    assert "test.fails" not in capsys.readouterr().err
