"""The receipt and the model's objects, compared before anything is called a model."""

import json
from typing import Any

import pytest
from sealtrain.rules import canonical, dsse, names, records
from sealtrain.rules.errors import EvidenceError
from sealtrain.steps import publish_model, verify_evidence

from tests.functions import authority
from tests.functions.closing import World


def trained(**changes: Any) -> tuple[World, str]:
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    world.train(run, **changes)
    return world, run


def refused(world: World, run: str) -> str:
    with pytest.raises(EvidenceError) as caught:
        world.call(publish_model, run=run)
    assert world.storage.find(world.evidence, records.published(run)) is None
    return str(caught.value)


def test_model_is_published_with_what_was_read() -> None:
    """A model that is the receipt's is published; what was compared goes on record."""
    world, run = trained()
    found = world.call(publish_model, run=run)
    assert found.model == f"gs://{names.models_bucket(world.settings)}/{run}/"
    assert found.metrics["accuracy"] == 0.9649
    read = json.loads(world.storage.get(world.evidence, records.published(run)))
    assert [one["object"] for one in read["objects"]] == [f"{run}/model/model.safetensors.part-00000"]


def test_publishing_twice_changes_nothing() -> None:
    """A repeated call gives the same answer and the same record."""
    world, run = trained()
    first = world.call(publish_model, run=run)
    before = dict(world.storage.objects)
    assert world.call(publish_model, run=run) == first
    assert world.storage.objects == before


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("run", {"run": "r000000000000"}),
        ("order_digest", {"order_digest": "sha256:" + "00" * 32}),
        ("image_digest", {"image_digest": "sha256:" + "00" * 32}),
        ("dataset.id", {"dataset": {"id": "sha256:" + "00" * 32, "files": []}}),
        ("trainer_exit", {"trainer_exit": 1}),
        ("version", {"version": 2}),
    ],
)
def test_receipt_of_something_else_is_refused(field: str, changes: dict[str, Any]) -> None:
    """A signed receipt that speaks of another run, order, image or dataset is refused."""
    assert field in refused(*trained(**changes))


def test_receipt_signed_by_another_key_is_refused() -> None:
    """Only the key that the token binds can sign the receipt."""
    world, run = trained()
    values = json.loads(dsse.payload(dsse.parse(world.storage.get(world.evidence, names.receipt(run)))))
    world.sign_receipt(run, values, authority.workload_key("thief"))
    assert "signature" in refused(world, run)


@pytest.mark.parametrize("change", ["flipped", "missing", "added", "longer"])
def test_changed_model_objects_are_refused(change: str) -> None:
    """An object that was changed, dropped or added in the models bucket is refused."""
    world, run = trained()
    bucket, name = names.models_bucket(world.settings), f"{run}/model/model.safetensors.part-00000"
    data = world.storage.get(bucket, name)
    match change:
        case "flipped":
            world.storage.put(bucket, name, bytes([data[0] ^ 1]) + data[1:])
        case "missing":
            world.storage.delete(bucket, name)
        case "added":
            world.storage.put(bucket, f"{run}/model/more", b"x")
        case "longer":
            world.storage.put(bucket, name, data + b"x")
    assert "model" in refused(world, run)


@pytest.mark.parametrize("manifest", [None, b"{}", b'{"files": []}', b'{"files": [1]}', b"\xff"])
def test_wrong_manifest_is_refused(manifest: bytes | None) -> None:
    """The owner opens the model by its manifest, so it has to name the receipt's files."""
    world, run = trained()
    bucket, name = names.models_bucket(world.settings), names.model_manifest(run)
    world.storage.delete(bucket, name)
    if manifest is not None:
        world.storage.put(bucket, name, manifest)
    assert "manifest" in refused(world, run)


def test_receipt_has_to_be_the_one_that_was_told() -> None:
    """The digest in the completion, where there is one, is that of the receipt."""
    world, run = trained()
    told = records.Completion(run, "succeeded", "", "sha256:" + "00" * 32, "", "2026-11-22T12:00:00Z")
    state = names.state_bucket(world.settings)
    world.storage.create(state, names.completion(run), canonical.dumps(told))
    assert "left_digest" in refused(world, run)
