"""Preemption: the platform takes the VM with notice; a later attempt goes on and ends with the same model."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import psutil
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1
from sealtrain.rules import canonical, names
from sealtrain.rules.uploads import Upload, run_of

from tests.journeys.world import World

HOLD = 20


def test_a_preempted_training_goes_on_in_the_next_attempt(world: World, few_lines: bytes) -> None:
    """Notice, sealed checkpoint, empty project; attempt 2 resumes from it, and its model is that of an
    undisturbed run with the same seed, byte by byte. Then the checkpoint is gone as well.
    """
    job = f"trainer: {world.trainers['descends']}\narguments: {{seed: 7, hold: "
    undisturbed = world.upload("undisturbed", few_lines, job + "-1}\n")
    first = world.upload("preempted", few_lines, job + f"{HOLD}}}\n")
    world.until(lambda: _checkpoints_on_disk(HOLD), "the trainer waits at its step")

    _preempt(world, run_of(first))

    closed = world.closed(first)
    assert closed["outcome"] == "failed", closed
    assert "preempted" in closed["reason"], closed
    assert world.bills(run_of(first)) == []
    left = world.json(world.checkpoints, names.checkpoint_manifest(run_of(first)))
    assert left is not None
    said = world.json(world.state, names.completion(run_of(first))) or {}
    place = world.checkpoints.blob(names.checkpoint_manifest(run_of(first)))
    assert said["left_digest"] == canonical.digest(place.download_as_bytes())
    sealed = world.checkpoints.blob(left["files"][0]["parts"][0]["object"]).download_as_bytes()
    assert b"weight" not in sealed

    second = msgspec.structs.replace(first, attempt=2)
    world.execute(second)

    assert world.closed(second)["outcome"] == "succeeded"
    order = world.json(world.state, names.order(run_of(second))) or {}
    assert order["checkpoint"]["resume"]["run"] == run_of(first)
    world.closed(undisturbed)
    resumed, whole = _receipt(world, second), _receipt(world, undisturbed)
    assert resumed["metrics"]["begun_at"] == HOLD
    assert whole["metrics"]["begun_at"] == 0
    assert resumed["model"][0]["sha256"] == whole["model"][0]["sha256"]
    assert list(world.checkpoints.list_blobs()) == []
    assert world.ledger(run_of(second), "checkpoint", "gone")
    assert world.bills(run_of(second)) == []


def _receipt(world: World, upload: Upload) -> dict[str, Any]:
    envelope = world.record(names.receipt(run_of(upload))) or {}
    receipt: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return receipt


def _preempt(world: World, run: str) -> None:
    """As Google simulates it for whoever wants to test: a maintenance event of the VM's host."""
    client = compute_v1.InstancesClient(
        credentials=AnonymousCredentials(), client_options={"api_endpoint": world.endpoint}
    )
    (made,) = world.ledger(run, "instance", "made")
    _, project, _, zone, _, name = made["name"].split("/")
    client.simulate_maintenance_event(project=project, zone=zone, instance=name)


def _checkpoints_on_disk(step: int) -> list[Path]:
    """Checkpoints of our stand-in's trainers that have come to this step, on this machine's own disk."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if "trainer" not in process.cmdline():
                continue
            kept = Path(process.environ().get("CHECKPOINT", "/nowhere"), "state.json")
            if kept.exists() and json.loads(kept.read_text())["step"] == step:
                found.append(kept)
    return found
