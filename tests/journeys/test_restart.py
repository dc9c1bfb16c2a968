"""The stand-in is killed in mid-run and started again: the run closes as if nothing had been."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sealtrain.rules.uploads import run_of

from cli.deploy.stand_in import MACHINE_ENV
from cli.stand_in import StandIn
from tests.journeys.conftest import MINIMAL
from tests.journeys.world import World, start


def test_a_run_survives_a_kill_of_the_stand_in(tmp_path: Path, few_lines: bytes) -> None:
    """State, running workflow, VM and messages are still there after kill -9."""
    state = tmp_path / "world"
    stand_in, world = start(state, [MINIMAL])
    port = int(world.endpoint.rpartition(":")[2])
    try:
        upload = world.upload("killed", few_lines, f"trainer: {world.trainers['minimal']}\n")
        world.until(lambda: world.ledger(run_of(upload), "instance", "intent"), "the VM is being made")
        os.kill(stand_in._process.pid, signal.SIGKILL)
        stand_in._process.wait()
    finally:
        stand_in.__exit__(None, None, None)

    with StandIn(state, port, MACHINE_ENV) as again:
        assert again.ready.endpoint == world.endpoint
        closed = World.closed(world, upload)
        assert closed["outcome"] == "succeeded", closed
        assert world.bills(run_of(upload)) == []
        assert len(world.ledger(run_of(upload), "instance", "made")) == 1
