"""Trainers that misbehave: the run fails with a reason, nothing is left, the owner's data is still there."""

from __future__ import annotations

import pytest
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World

# trainer -> a word that the reason must contain
MISBEHAVE = {
    "exits-one": "exit",
    "fills-disk": "disk",
    "no-model": "model",
    "pickled": "pickle",
}


@pytest.mark.parametrize("trainer", sorted(MISBEHAVE))
def test_a_bad_trainer_fails_its_run_and_leaves_nothing(world: World, few_lines: bytes, trainer: str) -> None:
    """The reason is on record, no model is published, the inventory is empty, the source stays."""
    job = f"trainer: {world.trainers[trainer]}\nlimits: {{disk_bytes: 4194304}}\n"
    upload = world.upload(f"trainer-{trainer}", few_lines, job)

    closed = world.closed(upload)

    assert closed["outcome"] == "failed"
    assert MISBEHAVE[trainer] in str(closed).lower(), closed
    assert world.bills(run_of(upload)) == []
    assert not any("safetensors" in blob.name for blob in world.models.list_blobs(prefix=run_of(upload)))
    data = world.inbox.blob(upload.object.replace("job.yaml", "data.csv"))
    assert data.download_as_bytes() == few_lines


def test_a_trainer_that_hangs_is_ended_by_the_server(own_world: World, few_lines: bytes) -> None:
    """The last brake is not ours: at its end time the platform deletes the VM, and the run is closed."""
    world = own_world
    job = f"trainer: {world.trainers['hangs']}\nlimits: {{seconds: 600}}\n"
    upload = world.upload("hangs", few_lines, job)
    run = run_of(upload)
    world.until(lambda: world.json(world.state, f"runs/{run}/release.json"), "the key was released")

    world.post("/_control/clock", {"advance": 700})

    closed = world.closed(upload)
    assert closed["outcome"] == "failed", closed
    assert world.bills(run) == []
