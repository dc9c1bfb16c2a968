"""Machines that are deleted or killed take everything in them along."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from localcloud.machine.boot import PREFIX
from localcloud.machine.processes import running
from localcloud.machine.told import run_folder
from tests.localcloud.conftest import World, eventually
from tests.localcloud.machine.instances import PROJECT, client, status, wait
from tests.localcloud.machine.launching import image_of, launch, prepare
from tests.localcloud.machine.waiting import WAITS, alive, numbers

ZONE = "us-central1-a"


@pytest.fixture(scope="module")
def ready(world: World) -> World:
    prepare(world)
    return world


def test_deleting_the_instance_stops_everything_in_it(ready: World, tmp_path: Path) -> None:
    """The workload gets SIGTERM; afterwards neither it nor what it started is alive."""
    file = tmp_path / "pids"
    launch(ready, "deleted", image_of(ready, WAITS), [str(file)])
    pids = numbers(file)
    where = {"project": PROJECT, "zone": ZONE, "instance": "deleted"}
    wait(ready, client(ready, "Instances").delete_unary(**where))
    assert Path(f"{file}.stopped").read_text() == "SIGTERM"
    assert not [pid for pid in pids if alive(pid)]


def test_a_machine_that_is_killed_takes_its_workload_along(ready: World, tmp_path: Path) -> None:
    """As when the host fails: the instance is TERMINATED, the workload dead."""
    file = tmp_path / "pids"
    launch(ready, "killed", image_of(ready, WAITS), [str(file)])
    workload, orphan = numbers(file)
    got = client(ready, "Instances").get(project=PROJECT, zone=ZONE, instance="killed")
    machine = running(ready.cloud, f"{PREFIX}{got.id}")
    assert machine is not None
    machine.kill()
    eventually(lambda: status(ready, "killed") == "TERMINATED")
    eventually(lambda: not alive(workload))
    eventually(lambda: not run_folder(str(got.id)).exists())
    with contextlib.suppress(ProcessLookupError):
        os.kill(orphan, signal.SIGKILL)  # it left the group, and its machine cannot end it any more
