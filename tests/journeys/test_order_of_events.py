"""Events twice, late, early, in another order, or about a run by somebody else: one run, one end, one bundle.

Events are repeated as the platform repeats them: pushed again to the function, or published again.
"""

from __future__ import annotations

from typing import Any

import requests
from google.cloud import storage
from sealtrain.rules import names
from sealtrain.rules.uploads import Upload, run_of

from cli.api import Api
from cli.verbs import logs
from tests.journeys.world import World


def push_upload_event(world: World, blob: storage.Blob) -> None:
    """Deliver an object's event to start_run once more, in the binary form that storage events have."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"{blob.name}-{blob.generation}",
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{blob.bucket.name}",
        "ce-type": "google.cloud.storage.object.v1.finalized",
        "Content-Type": "application/json",
    }
    data = {"bucket": blob.bucket.name, "name": blob.name, "generation": str(blob.generation)}
    answer = requests.post(f"{world.front}/start-run", json=data, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text


def lines(world: World, run: str, event: str) -> list[dict[str, Any]]:
    """What functions logged of a run under one event word."""
    entries = logs.read(Api(world.settings), world.settings.project, run)
    return [e["jsonPayload"] for e in entries if e["jsonPayload"].get("event") == event]


def records(world: World, run: str) -> dict[str, int]:
    """Every record of a run with its generation; log entries come in by themselves and are left out."""
    prefix = f"runs/{run}/"
    blobs = [b for bucket in (world.state, world.evidence) for b in bucket.list_blobs(prefix=prefix)]
    return {f"{b.bucket.name}/{b.name}": b.generation for b in blobs if "/logs/" not in b.name}


def test_events_of_a_folder_in_any_order_and_twice_are_one_run(world: World, few_lines: bytes) -> None:
    """job.yaml's event before the data's, each delivered again: one execution has the run, one VM is made."""
    upload = world.upload("any-order", few_lines, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)
    job, data = (world.inbox.get_blob(f"incoming/any-order/{name}") for name in ("job.yaml", "data.csv"))
    for blob in (job, data, job, data):
        push_upload_event(world, blob)

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    assert len(world.ledger(run, "instance", "made")) == 1
    world.until(lambda: len(lines(world, run, "run.started")) == 3, "every event of job.yaml was answered")
    world.until(lambda: len(lines(world, run, "run.admitted")) == 3, "every execution asked for the run")
    assert [line["admitted"] for line in lines(world, run, "run.admitted")].count(True) == 1
    assert world.bills(run) == []


def test_a_job_before_its_data_is_refused_and_comes_again(world: World, few_lines: bytes) -> None:
    """Uploads in the wrong order: the refusal says what is missing; job.yaml put again makes the run."""
    job = f"trainer: {world.trainers['minimal']}\n".encode()
    early = world.put("incoming/job-first/job.yaml", job)
    assert world.refusal(early)["remedy"]

    world.put("incoming/job-first/data.csv", few_lines)
    again = world.put("incoming/job-first/job.yaml", job)

    assert world.closed(again)["outcome"] == "succeeded"
    assert run_of(early) != run_of(again)


def test_a_message_of_somebody_else_ends_no_run(world: World, few_lines: bytes) -> None:
    """Before the VM stands and while it works, anybody's `failed` is dropped, and the run succeeds."""
    upload = world.upload("slandered", few_lines, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)
    lie = {
        "run": run,
        "state": "failed",
        "reason": "trainer_exit",
        "left_digest": None,
        "signature": "AAAA",
    }
    for name in (names.claim(run), names.order(run), names.release(run)):
        world.until(lambda name=name: world.state.get_blob(name), f"{name} is there")
        world.publish("job-events", lie)

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    told = [line["recorded"] for line in lines(world, run, "completion.recorded")]
    assert told.count("not_signed") == 3
    assert (world.json(world.state, names.completion(run)) or {})["state"] == "succeeded"


def test_what_comes_after_the_end_changes_nothing(world: World, few_lines: bytes) -> None:
    """Upload event, completion, teardown and execution, all once more after the close: no record moves."""
    upload = world.upload("after-the-end", few_lines, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)
    assert world.closed(upload)["outcome"] == "succeeded"
    world.until(lambda: world.json(world.state, names.completion(run)), "the completion is recorded")
    before = records(world, run)
    said = world.json(world.state, names.completion(run)) or {}
    message = {key: value for key, value in said.items() if key != "time"}

    world.publish("job-events", message)
    world.publish("job-events", {**message, "state": "failed", "reason": "internal"})
    world.publish("teardown-requests", {"run": run, "reason": "too late"})
    push_upload_event(world, world.inbox.get_blob(upload.object))
    world.execute(upload)

    events = ("completion.recorded", "run.torn_down", "run.admitted")
    for event, count in zip(events, (3, 2, 3), strict=True):
        world.until(lambda e=event, n=count: len(lines(world, run, e)) >= n, f"{count} times {event}")
    recorded = [line["recorded"] for line in lines(world, run, "completion.recorded")]
    assert sorted(recorded) == ["first", "not_signed", "repeated"]
    assert records(world, run) == before
    assert world.bills(run) == []


def test_a_teardown_before_the_start_leaves_a_run_without_a_machine(world: World, few_lines: bytes) -> None:
    """A request that overtakes start_vm is obeyed: nothing is started after it, and the end says why."""
    upload = world.upload("overtaken", few_lines, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)
    world.until(lambda: world.json(world.state, names.claim(run)), "the run is claimed")
    world.publish("teardown-requests", {"run": run, "reason": "before anything was made"})

    closed = world.closed(upload, bound_s=180)

    assert closed["outcome"] == "torn_down", closed
    assert "before anything was made" in closed["reason"]
    assert world.ledger(run, "instance", "made") == []
    assert world.bills(run) == []
    assert world.bundle_problems(run) == []


def test_a_teardown_of_a_run_that_is_not_known_is_done(world: World) -> None:
    """A request about no run leaves nothing behind and does not come back."""
    upload = Upload(bucket=world.inbox.name, object="incoming/never.csv", generation="1", attempt=1)
    run = run_of(upload)
    world.publish("teardown-requests", {"run": run, "reason": "whoever that is"})
    world.until(lambda: lines(world, run, "run.torn_down"), "the request was answered")
    assert records(world, run) == {}
