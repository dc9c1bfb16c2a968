"""Child processes on record."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from localcloud.machine import processes
from tests.localcloud.conftest import World


def test_a_number_without_a_process_is_not_alive(world: World) -> None:
    """Its process has ended and nobody has that number now."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    created = psutil.Process(ended.pid).create_time()
    ended.wait()
    assert not processes.alive(world.cloud, "none", {"pid": ended.pid, "created": created})


def test_only_what_an_earlier_stand_in_left_is_ended(world: World) -> None:
    """Not what this one started in the meantime."""
    started = [subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) for _ in range(2)]
    for name, process in zip(("function/mine", "function/left"), started, strict=True):
        created = psutil.Process(process.pid).create_time()
        world.cloud.store.put(processes.KIND, name, {"pid": process.pid, "created": created})
    mine, left = started
    world.cloud.live.setdefault(processes.KIND, {})["function/mine"] = mine
    processes.end_left_behind(world.cloud, "function/")
    assert left.wait(5) < 0
    assert mine.poll() is None
    processes.end(world.cloud, "function/mine", 1)
    assert mine.wait(5) < 0


def test_what_does_not_heed_the_request_is_gone_when_it_was_ended(world: World, tmp_path: Path) -> None:
    """Killed after its grace, and waited for: nothing is found running afterwards."""
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    argv = [sys.executable, "-c", deaf]
    process = processes.start(world.cloud, "function/deaf", argv, env={}, cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    processes.end(world.cloud, "function/deaf", 0.1)
    assert process.returncode == -signal.SIGKILL
    process.stdout.close()
