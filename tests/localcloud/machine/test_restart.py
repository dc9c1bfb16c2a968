"""Virtual machines outlive the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.localcloud.conftest import World, eventually
from tests.localcloud.machine.instances import status
from tests.localcloud.machine.launching import ended, image_of, launch, prepare
from tests.localcloud.machine.waiting import WAITS, alive, numbers


def test_a_machine_goes_on_while_the_stand_in_is_away(restarted: Callable[[], World], tmp_path: Path) -> None:
    """After a restart the same process runs on, at another address, and its end is noticed."""
    world = restarted()
    prepare(world)
    file = tmp_path / "pids"
    launch(world, "survivor", image_of(world, WAITS), [str(file)])
    pids = numbers(file)
    world = restarted()
    assert status(world, "survivor") == "RUNNING"
    assert all(alive(pid) for pid in pids)
    Path(f"{file}.go").touch()
    assert "exit_code=0" in ended(world, "survivor")
    eventually(lambda: not any(alive(pid) for pid in pids))
