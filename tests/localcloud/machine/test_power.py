"""Machines that are deleted or killed take everything in them along."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from localcloud.machine.boot import PREFIX
from localcloud.machine.launcher import HOLD
from localcloud.machine.processes import running
from localcloud.machine.told import run_folder
from tests.localcloud.conftest import World, eventually
from tests.localcloud.machine.instances import PROJECT, SPACE, client, insert, instance, status, wait
from tests.localcloud.machine.launching import console, ended, image_of, launch, prepare
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


def test_an_ordinary_guest_stays_up_until_it_is_stopped(ready: World) -> None:
    """It has nothing to run; the power button ends it in good order."""
    plain = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
    disks = [{"boot": True, "initialize_params": {"source_image": plain}}]
    wait(ready, insert(ready, instance(ready, "ordinary", disks=disks)))
    assert _stopped(ready, "ordinary", _is_up) == 0


def test_a_debug_machine_stays_up_after_its_workload(ready: World) -> None:
    """So that a person can look at it; then the power button ends it."""
    disks = [{"boot": True, "initialize_params": {"source_image": f"{SPACE}-debug"}}]
    launch(ready, "debug", image_of(ready, "print('done')"), disks=disks)
    eventually(lambda: "VM remains running" in console(ready, "debug"), 20)
    assert _stopped(ready, "debug", lambda _: True) == HOLD


def test_a_workload_without_a_program_fails(ready: World) -> None:
    """An image that names neither Entrypoint nor Cmd is not run."""
    launch(ready, "empty", image_of(ready, "", entrypoint=[]), metadata={"tee-cmd": None})
    assert "the image names no program" in ended(ready, "empty")


def _is_up(machine: psutil.Process) -> bool:
    return machine.num_threads() > 1  # it watches its cloud: after that it only waits for the button


def _stopped(world: World, name: str, up: Callable[[psutil.Process], bool]) -> int:
    """How the machine ended after its instance was stopped."""
    where = {"project": PROJECT, "zone": ZONE, "instance": name}
    process = f"{PREFIX}{client(world, 'Instances').get(**where).id}"
    machine = running(world.cloud, process)
    assert machine is not None
    eventually(lambda: up(machine), 20)
    child = world.cloud.live["process"][process]
    wait(world, client(world, "Instances").stop_unary(**where))
    return int(child.wait(10))
