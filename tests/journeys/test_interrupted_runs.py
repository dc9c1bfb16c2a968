"""Runs that somebody or something interrupts: teardown in mid-run, an upload overwritten."""

from __future__ import annotations

import os
import subprocess
import sys

from sealtrain.rules.uploads import run_of

from cli.deploy.stand_in import environment
from tests.journeys.world import World


def test_a_teardown_in_mid_run_leaves_nothing_and_tells_why(world: World, few_lines: bytes) -> None:
    """The operator's teardown ends the VM, the run is closed with the reason, the source stays."""
    upload = world.upload("torn-down", few_lines, f"trainer: {world.trainers['hangs']}\n")
    run = run_of(upload)
    world.until(lambda: world.ledger(run, "instance", "made"), "the VM is there")

    argv = [sys.executable, "-m", "cli.main", "teardown", run, "--reason", "wrong dataset"]
    env = {**os.environ, **environment(world.settings)}
    done = subprocess.run(argv, env=env, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    closed = world.closed(upload)

    assert closed["outcome"] == "torn_down", closed
    assert "wrong dataset" in str(closed), closed
    assert world.bills(run) == []


def test_an_upload_overwritten_under_its_run_is_a_new_run(world: World, few_lines: bytes) -> None:
    """A run keeps to the generation it was started for: it trains on those bytes or says they are gone."""
    job = f"trainer: {world.trainers['minimal']}\n"
    first = world.upload("overwritten", few_lines, job)
    second = world.upload("overwritten", few_lines + b"9,9,x\n", job)

    ended = world.until(
        lambda: (
            world.record(f"runs/{run_of(first)}/closed.json")
            or world.json(world.inbox, f"refused/{run_of(first)}.json")
        ),
        "the first run has ended",
    )

    assert world.closed(second)["outcome"] == "succeeded"
    if ended.get("outcome") != "succeeded":
        assert "changed" in str(ended) or "overwritten" in str(ended), ended
    assert world.bills(run_of(first)) == []
    assert world.bills(run_of(second)) == []
