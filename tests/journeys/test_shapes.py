"""The shapes and ways of getting them that this version offers, each once from upload to empty project."""

from __future__ import annotations

import pytest
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World

# name -> (machine, ledger kinds that must have been made and seen gone)
WAYS = {
    "spot": ("{shape: a3-highgpu-1g, mode: spot}\nlimits: {cost_usd: 25}", {"instance"}),
    "flex-start": ("{shape: a3-highgpu-1g, mode: flex-start}", {"template", "group", "request", "instance"}),
    "reservation": ("{shape: n2d-standard-4, mode: reservation}", {"reservation", "instance"}),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_run_gets_its_machine_this_way_and_leaves_nothing(world: World, few_lines: bytes, way: str) -> None:
    """What was made to get the machine is made by intent first, and all of it is seen gone."""
    machine, kinds = WAYS[way]
    job = f"trainer: {world.trainers['minimal']}\nmachine: {machine}\n"
    upload = world.upload(f"way-{way}", few_lines, job)
    run = run_of(upload)

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    for kind in kinds:
        for phase in ("intent", "made", "gone"):
            assert world.ledger(run, kind, phase), f"{kind} {phase}"
    assert world.bills(run) == []
