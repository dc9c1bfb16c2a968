"""Runs whose workflow is gone: the sweeper ends and closes them."""

from __future__ import annotations

import pytest
from sealtrain.rules import names
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World


@pytest.mark.parametrize("moment", ["order", "release"])
def test_a_cancelled_run_is_torn_down_and_closed(world: World, few_lines: bytes, moment: str) -> None:
    """Cancelled by the official API: the next sweep leaves nothing that bills, and a good bundle."""
    upload = world.upload(f"cancelled-at-{moment}", few_lines, f"trainer: {world.trainers['hangs']}\n")
    run = run_of(upload)
    name = getattr(names, moment)(run)
    world.until(lambda: world.json(world.state, name), f"{name} is there")
    execution = (world.json(world.state, names.claim(run)) or {})["execution"]
    train = names.workflow(world.settings, names.WORKFLOW_TRAIN)
    world.post(f"/v1/{train}/executions/{execution}:cancel", {})

    world.publish("sweep-requests", {})
    closed = world.closed(upload, bound_s=180)

    assert closed["outcome"] == "torn_down", closed
    assert "CANCELLED" in closed["reason"]
    assert world.bills(run) == []
    assert world.bundle_problems(run) == []
    assert world.record(names.report(run, "json")) is not None
    assert world.inbox.blob(upload.object).exists()
