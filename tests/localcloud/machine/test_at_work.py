"""A clock that leaps waits for machines that work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from localcloud.machine import processes
from localcloud.machine.at_work import AtWork
from tests.localcloud.conftest import World, eventually


@pytest.fixture(params=["while True: pass", "import time; time.sleep(60)"])
def program(request: pytest.FixtureRequest) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    started = subprocess.Popen([sys.executable, "-c", request.param])
    yield request.param, started
    started.kill()
    started.wait()


def test_a_machine_works_while_it_uses_the_processor(
    program: tuple[str, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that computes works; one that only sleeps, or has ended, does not."""
    text, started = program
    rows = SimpleNamespace(documents=lambda *_: [("machine/x", {})])
    cloud: Any = SimpleNamespace(store=rows)
    monkeypatch.setattr(processes, "running", lambda *_: psutil.Process(started.pid))
    look = AtWork(cloud)
    if "sleep" in text:
        eventually(lambda: not look(), 10)
    else:
        assert all(eventually(look) for _ in range(3))
    started.kill()
    started.wait()
    monkeypatch.setattr(processes, "running", lambda *_: None)
    eventually(lambda: not look(), 10)


def test_what_ends_while_it_is_looked_at_was_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for it goes on now; a machine that ended itself has nothing to look at."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    gone, machine = psutil.Process(ended.pid), psutil.Process()
    ended.wait()
    monkeypatch.setattr(machine, "children", lambda **_: [gone])
    cloud: Any = SimpleNamespace(store=SimpleNamespace(documents=lambda *_: [("machine/x", {})]))
    for found, working in ((gone, False), (machine, True)):
        monkeypatch.setattr(processes, "running", lambda *_, found=found: found)
        look = AtWork(cloud)
        look._changed = -1000.0
        assert look() is working


def test_the_stand_in_looks_at_its_machines(world: World) -> None:
    """Without any, nothing is at work."""
    assert isinstance(world.cloud.machines_at_work, AtWork)
    eventually(lambda: not world.cloud.machines_at_work())
