"""Work that comes twice, or too late: a task may run again after the process died in the middle of it."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from localcloud.doors.storage_contents import contents
from localcloud.machine.boot import start_machine
from localcloud.machine.processes import KIND
from localcloud.world.beat import TASKS
from tests.localcloud.conftest import World

PLACE = "projects/demo-project/zones/us-central1-a"


def documents(world: World) -> list[Any]:
    """Everything that the stand-in remembers."""
    with sqlite3.connect(world.cloud.root / "state.db") as database:
        return database.execute("SELECT * FROM document ORDER BY kind, name").fetchall()


@pytest.mark.parametrize(
    ("task", "payload"),
    [
        ("cloudscheduler.call", {"name": "gone", "attempt": 1}),
        ("cloudkms.rotate", {"key": "gone", "due": "2026-01-01T00:00:00Z"}),
        ("pubsub.push", {"name": "gone#1"}),
        ("pubsub.expired", {"name": "gone#1", "attempt": 1}),
        ("storage.remove_bytes", {"sha256": "0" * 64}),
        ("instance.stop", {"name": f"{PLACE}/instances/gone", "id": "1", "operation": "gone"}),
        ("instance.delete", {"name": f"{PLACE}/instances/gone", "id": "1", "operation": "gone"}),
    ],
)
def test_a_task_of_what_is_gone_changes_nothing(world: World, task: str, payload: dict[str, Any]) -> None:
    """It returns, and what the stand-in remembers is as before."""
    before = documents(world)
    TASKS[task](world.cloud, payload)
    assert documents(world) == before


def test_bytes_that_were_just_written_are_not_removed(world: World) -> None:
    """Nobody holds them yet: whoever wrote them may be about to, however far the clock has leapt."""
    written = contents(world.cloud).write([b"young"])
    TASKS["storage.remove_bytes"](world.cloud, {"sha256": written.sha256})
    assert contents(world.cloud).path(written.sha256).exists()


def test_a_machine_is_turned_on_once(world: World) -> None:
    """One whose process is on record gets no second one."""
    world.cloud.store.put(KIND, "machine/77", {"instance": "x", "pid": 0, "created": 0.0})
    before = documents(world)
    start_machine(world.cloud, f"{PLACE}/instances/x", {"id": "77"})
    assert documents(world) == before
    world.cloud.store.delete(KIND, "machine/77")
