"""The main job: upload a dataset, get a model, a proof and an empty project."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from sealtrain.rules import names
from sealtrain.rules.uploads import run_of

from cli.api import Api
from cli.trust import check
from cli.verbs.fetch import public_keys
from tests.journeys.world import World


def test_an_upload_becomes_a_model_a_proof_and_an_empty_project(world: World, patients: bytes) -> None:
    """Putting a CSV under incoming/ with the official client is all it takes."""
    upload = world.upload("main-job.csv", patients)
    run = run_of(upload)

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    receipt_model = [blob.name for blob in world.models.list_blobs(prefix=f"{run}/")]
    assert any(".safetensors" in name for name in receipt_model)
    assert world.bills(run) == []
    bundle = world.evidence.blob(names.bundle(run)).download_as_bytes()
    checks, _ = check(bundle, public_keys(Api(world.settings), world.settings), datetime.now(UTC))
    assert [c for c in checks if not c.ok] == []
    # The owner's source is where it was.
    assert world.inbox.blob(upload.object).download_as_bytes() == patients


def test_the_model_was_trained_on_exactly_the_uploaded_bytes(world: World, patients: bytes) -> None:
    """Source, order, receipt and bundle name one digest; one flipped byte gives another."""
    digests = []
    flipped = patients[:-20] + bytes([patients[-20] ^ 1]) + patients[-19:]
    for number, data in enumerate((patients, flipped)):
        upload = world.upload(f"digest-{number}/data.csv".replace("/", "-"), data)
        run = run_of(upload)
        world.closed(upload)
        order = world.json(world.state, names.order(run))
        expected = "sha256:" + hashlib.sha256(data).hexdigest()
        assert [f["sha256"] for f in order["dataset"]["files"]] == [expected]
        statement = json.dumps(world.record(names.report(run, "json")))
        assert order["dataset"]["id"].removeprefix("sha256:") in statement
        digests.append(order["dataset"]["id"])
    assert digests[0] != digests[1]


def test_a_direct_execution_is_the_other_way_in(world: World, patients: bytes) -> None:
    """`gcloud workflows run train` with a later attempt trains the same upload again, as a run of its own."""
    import msgspec

    upload = world.upload("direct.csv", patients)
    first = world.closed(upload)
    again = msgspec.structs.replace(upload, attempt=2)

    world.execute(again)

    assert first["outcome"] == world.closed(again)["outcome"] == "succeeded"
    assert run_of(upload) != run_of(again)


def test_every_call_came_from_an_account_of_its_own(world: World, few_lines: bytes) -> None:
    """Functions, workflow and VM carry their own identity; none acts as the person at the keyboard."""
    upload = world.upload("callers", few_lines, f"trainer: {world.trainers['minimal']}\n")
    world.closed(upload)
    calls = world.get("/_control/calls")["calls"]
    mine = [c for c in calls if run_of(upload) in json.dumps(c) and not c["method"].startswith("storage.")]
    assert mine
    assert [c for c in mine if c["caller"] == "user:you@localhost"] == []
