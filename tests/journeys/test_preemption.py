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
from sealtrain.rules.uploads import Upload, later, run_of

from cli import run_records
from cli.api import Api
from tests.journeys.world import World

HOLD = 20


def test_a_preempted_training_goes_on_in_the_next_attempt(world: World, few_lines: bytes) -> None:
    """Notice, sealed checkpoint, empty project; attempt 2 resumes from it, and its model is that of an
    undisturbed run with the same seed, byte by byte. Then the checkpoint is gone as well.
    """
    job = f"trainer: {world.trainers['descends']}\narguments: {{seed: 7, hold: "
    undisturbed = world.upload("undisturbed", few_lines, job + "[]}\n")
    first = world.upload("preempted", few_lines, job + f"[{HOLD}]}}\n")
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


def test_a_spot_run_goes_on_by_itself_until_the_model_is_there(world: World, few_lines: bytes) -> None:
    """Preempted twice, nobody does anything: the third attempt ends with the model of an undisturbed run.
    Each attempt has a bundle that holds, names the next, leaves nothing that bills; no checkpoint is left.
    """
    job = f"trainer: {world.trainers['descends']}\narguments: {{seed: 7, hold: "
    undisturbed = world.upload("whole", few_lines, job + "[]}\n")
    first = world.upload("spot", few_lines, job + "[20, 35]}\nmachine: {mode: spot}\n")
    second, third = later(first), later(later(first))
    api, settings = Api(world.settings), world.settings

    for upload, step in ((first, 20), (second, 35)):
        world.until(lambda step=step: _checkpoints_on_disk(step), f"the trainer waits at step {step}")
        _preempt(world, run_of(upload))
        assert world.closed(upload)["followed_by"] == run_of(later(upload))

    assert world.closed(third)["outcome"] == "succeeded"
    for upload in (first, second, third):
        assert world.bundle_problems(run_of(upload)) == []
        assert world.bills(run_of(upload)) == []
    world.closed(undisturbed)
    resumed, whole = _receipt(world, third), _receipt(world, undisturbed)
    assert resumed["metrics"]["begun_at"] == 35
    assert resumed["model"][0]["sha256"] == whole["model"][0]["sha256"]
    assert list(world.checkpoints.list_blobs()) == []
    assert run_records.attempt_of(api, settings, run_of(third)) == (3, run_of(second))
    report = world.record(names.report(run_of(second), "json")) or {}
    assert report["attempt"] == {
        "number": 2, "most": 3, "went_on_from": run_of(first), "next_run": run_of(third)
    }  # fmt: skip


def test_a_lost_start_is_made_good_once_and_the_bound_ends_the_chain(
    world: World, few_lines: bytes
) -> None:
    """The workflow cannot start the next attempt: one sweep does, later ones do not. After the last attempt
    that the job allows nobody goes on, and the reason says how a person does.
    """
    job = f"trainer: {world.trainers['descends']}\narguments: {{seed: 7, hold: [20, 35]}}\n"
    first = world.upload("lost-start", few_lines, job + "machine: {mode: spot}\nlimits: {attempts: 2}\n")
    second, third = later(first), later(later(first))
    world.until(lambda: _checkpoints_on_disk(20), "the trainer waits at its first step")
    train = names.workflow(world.settings, names.WORKFLOW_TRAIN)
    world.fault("workflowexecutions.projects.locations.workflows.executions.create", 403, 1, parent=train)
    _preempt(world, run_of(first))
    assert world.closed(first)["followed_by"] == run_of(second)
    claim = world.json(world.state, names.claim(run_of(first))) or {}
    execution = f"/v1/{train}/executions/{claim['execution']}"
    world.until(lambda: world.get(execution)["state"] == "FAILED", "the workflow has failed")
    assert not _is_claimed(world, second)

    world.publish("sweep-requests", {})
    world.until(lambda: _checkpoints_on_disk(35), "the next attempt waits at its own step")
    _sweep(world)
    assert _executions(world, second) == 1
    _preempt(world, run_of(second))

    closed = world.closed(second)
    assert (closed["outcome"], closed["followed_by"]) == ("failed", "")
    assert "--attempt" in closed["reason"]
    _sweep(world)
    assert not _is_claimed(world, third)
    assert world.bills(run_of(second)) == []


def test_a_teardown_in_mid_training_is_the_end_of_all_attempts(world: World, few_lines: bytes) -> None:
    """Whoever says stop means the training: its checkpoint goes as well, and no other attempt begins."""
    job = f"trainer: {world.trainers['descends']}\narguments: {{seed: 7, hold: [20]}}\n"
    upload = world.upload("stopped", few_lines, job + "machine: {mode: spot}\n")
    world.until(lambda: _checkpoints_on_disk(20), "the trainer waits at its step")

    world.publish("teardown-requests", {"run": run_of(upload), "reason": "wrong data"})

    closed = world.closed(upload)
    assert (closed["outcome"], closed["followed_by"]) == ("torn_down", "")
    _sweep(world)
    assert not _is_claimed(world, later(upload))
    assert list(world.checkpoints.list_blobs(prefix=run_of(upload))) == []


def _is_claimed(world: World, upload: Upload) -> bool:
    return world.json(world.state, names.claim(run_of(upload))) is not None


def _executions(world: World, upload: Upload) -> int:
    """How many executions were started for an attempt."""
    train = names.workflow(world.settings, names.WORKFLOW_TRAIN)
    listed = world.get(f"/v1/{train}/executions?view=FULL&pageSize=100")["executions"]
    return [json.loads(one["argument"]) for one in listed].count(msgspec.to_builtins(upload))


def _sweep(world: World) -> None:
    """Sweep, and wait for its end."""
    before = world.told("runs.swept")
    world.publish("sweep-requests", {})
    world.until(lambda: world.told("runs.swept") > before, "the sweep is done")


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
