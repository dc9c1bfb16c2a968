"""Attacks: the key stays closed, the run is torn down, the reason is on record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from sealtrain.rules import names
from sealtrain.rules.canonical import digest
from sealtrain.rules.proof import MAKER_S
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World


def test_an_image_with_one_flipped_byte_gets_no_key(
    own_world: World, tmp_path: Path, few_lines: bytes
) -> None:
    """Whoever changes the approved image's bytes in the registry gets a VM that does not start them."""
    world = own_world
    digest = world.trainers["minimal"].partition("@sha256:")[2]
    layer = _layer(tmp_path / "world", digest)
    content = bytearray(layer.read_bytes())
    content[len(content) // 2] ^= 1
    layer.write_bytes(content)

    upload = world.upload("flipped", few_lines, f"trainer: {world.trainers['minimal']}\n")

    assert "silence" in world.key_closed(run_of(upload))


def test_an_order_changed_after_freezing_gets_no_key(world: World, few_lines: bytes) -> None:
    """The wrapped key is bound to the digest of the order that was frozen; another one opens nothing."""
    world.fault("compute.instances.insert", 503, 1000)  # no machine before the order is another
    upload = world.upload("other-order", few_lines, f"trainer: {world.trainers['minimal']}\n")
    name = names.order(run_of(upload))
    order = world.until(lambda: world.json(world.state, name), "the order is frozen")
    order["arguments"] = {"send": "everything"}
    world.state.blob(name).upload_from_string(json.dumps(order))
    world.no_faults()
    asked = names.teardown(run_of(upload))
    world.until(lambda: world.json(world.state, asked), "the teardown has begun")
    world.post("/_control/clock", {"advance": MAKER_S + 1})  # so long its maker may be at work

    closed = world.closed(upload)

    assert closed["outcome"] == "refused", closed
    assert closed["reason"]
    assert world.record(names.receipt(run_of(upload))) is None
    assert world.bills(run_of(upload)) == []


def test_a_replayed_token_gets_no_key(world: World, few_lines: bytes) -> None:
    """A genuine token of another run is refused for its nonce and its instance."""
    job = f"trainer: {world.trainers['minimal']}\n"
    earlier = world.upload("replay-source", few_lines, job)
    world.closed(earlier)
    stolen = world.record(names.token(run_of(earlier)))
    assert stolen is not None
    upload = world.upload("replay-target", few_lines, job)
    world.until(lambda: world.json(world.state, names.order(run_of(upload))), "the order is frozen")

    world.evidence.blob(names.token(run_of(upload))).upload_from_string(json.dumps(stolen))

    reasons = world.key_closed(run_of(upload))
    assert "nonce" in reasons or "order" in reasons, reasons


def test_a_verdict_that_somebody_placed_opens_nothing(world: World, few_lines: bytes) -> None:
    """Whoever may write to the evidence bucket cannot accept a machine: the verdict is judged again."""
    upload = world.upload("placed-verdict", few_lines, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)
    name = names.order(run)
    order = world.until(lambda: world.state.get_blob(name), "the order is frozen").download_as_bytes()
    verdict = {
        "run": run, "verdict": "met", "reasons": [], "time": datetime.now(UTC).isoformat(),
        "order_digest": digest(order), "token_digest": digest(b""), "trust_root": "SIMULATED",
        "policy_version": "1", "policy_digest": "", "verifier": "somebody",
    }  # fmt: skip
    world.evidence.blob(names.verdict(run)).upload_from_string(json.dumps(verdict))

    world.key_closed(run_of(upload))


def test_the_operator_cannot_use_the_release_key(world: World, few_lines: bytes) -> None:
    """Everything in the project is the operator's, but for the use of keys."""
    import base64

    import requests

    upload = world.upload("curious-operator", few_lines, f"trainer: {world.trainers['minimal']}\n")
    release = world.until(
        lambda: world.json(world.state, names.release(run_of(upload))), "the key was handed over"
    )
    key = names.run_key(world.settings, run_of(upload))
    aad = base64.b64encode(release["order_digest"].encode()).decode()
    body = {"ciphertext": release["wrapped_key"], "additionalAuthenticatedData": aad}

    answer = requests.post(f"{world.endpoint}/v1/{key}:decrypt", json=body, timeout=30)

    assert answer.status_code == 403
    assert "useToDecrypt" in answer.text
    world.closed(upload)


def _layer(state: Path, manifest: str) -> Path:
    """The file of an image's one layer, in the stand-in's registry."""
    images = state / "images"
    document = json.loads((images / manifest[:2] / manifest).read_bytes())
    layer = document["layers"][0]["digest"].partition(":")[2]
    return images / layer[:2] / layer
