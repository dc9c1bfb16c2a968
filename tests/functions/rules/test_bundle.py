"""Bundles: what is checked offline, and that no byte of one can change."""

import base64
import json
from datetime import timedelta
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.listeners import record_completion
from sealtrain.rules import bundle, canonical, dsse, names, signing
from sealtrain.rules.errors import EvidenceError
from sealtrain.steps import verify_evidence

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World

PEM = authority.public_pem(BUNDLE_KEY)
ROOT = authority.root_pem()


@lru_cache(maxsize=1)
def good() -> bytes:
    world = World()
    run = world.succeed()
    world.end(run)
    return world.storage.get(world.evidence, names.bundle(run))


def failed(data: bytes, root: str = ROOT, key: str = PEM, **more: Any) -> list[str]:
    return [one.name for one in bundle.verify_bundle(data, key, root, **more) if not one.ok]


def forged(**changes: Any) -> bytes:
    """A bundle signed by the right key over a changed predicate: the signer itself lies."""
    statement = bundle.open_statement(good(), PEM)
    predicate = msgspec.structs.replace(statement.predicate, **changes)
    lie = msgspec.structs.replace(statement, predicate=predicate)
    return bundle.seal(lie, authority.ec_signer(BUNDLE_KEY))


def with_record(word: str, text: str) -> dict[str, Any]:
    """Evidence in which one record has another text, with the digest that fits it."""
    evidence = bundle.open_statement(good(), PEM).predicate.evidence
    record = msgspec.structs.replace(
        evidence.records[word], text=text, sha256=canonical.digest(text.encode())
    )
    changed = {**evidence.records, word: record}
    return {"evidence": msgspec.structs.replace(evidence, records=changed)}


def record_text(word: str) -> str:
    return bundle.open_statement(good(), PEM).predicate.evidence.records[word].text


def test_good_bundle_holds() -> None:
    """Every check of a good bundle is ok, and SIMULATED is said."""
    checks = bundle.verify_bundle(good(), PEM, ROOT, authority.NOW + timedelta(hours=1))
    assert [one for one in checks if not one.ok] == []
    assert next(one for one in checks if one.name == "trust root").detail == "SIMULATED"
    assert {"signature", "records", "token", "receipt", "ledger", "claims", "time"} <= {
        one.name for one in checks
    }


def test_statement_is_in_totos() -> None:
    """The payload is an in-toto statement whose subjects are dataset, image and model by digest."""
    envelope = json.loads(good())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://sealtrain.dev/run/v1"
    assert [one["name"] for one in statement["subject"]] == [
        "dataset",
        "us-central1-docker.pkg.dev/demo-project/trainers/tabular",
        "model",
    ]
    assert all(len(one["digest"]["sha256"]) == 64 for one in statement["subject"])


@settings(max_examples=150, deadline=None)
@given(position=st.integers(min_value=0), mask=st.integers(1, 255))
def test_no_byte_of_the_file_can_change(position: int, mask: int) -> None:
    """A bundle with any one byte changed does not hold: payload, signature, key hint or spelling."""
    data = bytearray(good())
    data[position % len(data)] ^= mask
    assert failed(bytes(data))


@settings(max_examples=60, deadline=None)
@given(part=st.sampled_from(["payload", "signature"]), position=st.integers(0), bit=st.integers(0, 7))
def test_no_bit_of_payload_or_signature_can_change(part: str, position: int, bit: int) -> None:
    """A well-spelled bundle with one bit of payload or signature changed does not hold."""
    envelope = dsse.parse(good(), bundle.BUNDLE_LIMIT_BYTES)
    signature = envelope.signatures[0]
    text = envelope.payload if part == "payload" else signature.sig
    data = bytearray(base64.b64decode(text))
    data[position % len(data)] ^= 1 << bit
    changed = base64.b64encode(data).decode()
    if part == "payload":
        envelope = msgspec.structs.replace(envelope, payload=changed)
    else:
        envelope = msgspec.structs.replace(
            envelope, signatures=(msgspec.structs.replace(signature, sig=changed),)
        )
    assert failed(signing.serialize(envelope)) == ["signature"]


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 2), position=st.integers(0), bit=st.integers(0, 7))
def test_no_bit_of_the_certificate_path_can_change(number: int, position: int, bit: int) -> None:
    """Even the bundle's own signer cannot change the path: the token is judged again."""
    record = json.loads(record_text("token"))
    head, payload, signature = record["token"].split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    der = bytearray(base64.b64decode(header["x5c"][number]))
    der[position % len(der)] ^= 1 << bit
    header["x5c"][number] = base64.b64encode(der).decode()
    head = authority.segment(json.dumps(header).encode())
    record["token"] = f"{head}.{payload}.{signature}"
    assert "token" in failed(forged(**with_record("token", json.dumps(record))))


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400))
def test_garbage_is_refused_without_an_exception(data: bytes) -> None:
    """Whatever the file holds, the answer is a list of checks."""
    assert failed(data) == ["signature"]


def test_pinned_keys_decide() -> None:
    """Another bundle key, or another attestation root, refuses a good bundle."""
    other = authority.public_pem(authority.workload_key("other"))
    assert failed(good(), key=other) == ["signature"]
    stranger = authority.pem(authority.certificate("stranger", "stranger", ca=True))
    assert {"trust root", "token", "claims"} <= set(failed(good(), root=stranger))
    assert failed(good(), root="no root")


def test_bundle_from_the_future_is_refused() -> None:
    """A bundle closed later than the time of checking does not hold."""
    assert failed(good(), now=authority.NOW - timedelta(days=1)) == ["time"]


def test_the_signer_cannot_state_what_the_records_do_not_show() -> None:
    """Claims, cost, ledger root, trust root and subjects are computed anew."""
    stated = bundle.open_statement(good(), PEM).predicate
    better = tuple(msgspec.structs.replace(one, verdict="met") for one in stated.claims)
    assert failed(forged(claims=better)) == ["claims"]
    google = bundle.TrustRoot(name="Google Confidential Space", sha256=stated.trust_root.sha256)
    assert failed(forged(trust_root=google)) == ["trust root"]
    assert stated.cost is not None
    assert failed(forged(cost=msgspec.structs.replace(stated.cost, usd=0.0))) == ["cost"]
    assert failed(forged(ledger_root="00" * 32)) == ["ledger root"]
    assert failed(forged(policy_digest="sha256:" + "00" * 32)) == ["policy"]


def test_records_are_of_this_run_and_have_their_digests() -> None:
    """A record with another text, or of another run, does not hold."""
    evidence = bundle.open_statement(good(), PEM).predicate.evidence
    order = msgspec.structs.replace(evidence.records["order"], text="{}")
    broken = msgspec.structs.replace(evidence, records={**evidence.records, "order": order})
    assert "records" in failed(forged(evidence=broken))
    moved = msgspec.structs.replace(evidence.records["order"], name="runs/r000000000000/order.json")
    broken = msgspec.structs.replace(evidence, records={**evidence.records, "order": moved})
    assert "records" in failed(forged(evidence=broken))


def test_a_dropped_ledger_entry_shows() -> None:
    """Without the entry that a resource is gone, or without its intent, the bundle does not hold."""
    evidence = bundle.open_statement(good(), PEM).predicate.evidence
    for phase in ("gone", "intent"):
        kept = tuple(one for one in evidence.ledger if f".{phase}." not in one.name)
        wrong = failed(forged(evidence=msgspec.structs.replace(evidence, ledger=kept)))
        assert "ledger root" in wrong


def test_receipt_of_another_key_shows() -> None:
    """A receipt that the attested key did not sign does not hold."""
    envelope = dsse.parse(record_text("receipt").encode())
    other = signing.sign(
        envelope.payload_type,
        dsse.payload(envelope),
        authority.ec_signer(authority.workload_key("other")),
        "hint",
    )
    text = signing.serialize(other).decode()
    assert {"receipt", "subjects", "claims"} <= set(failed(forged(**with_record("receipt", text))))


def test_wrong_kind_of_statement_is_refused() -> None:
    """A signed statement of another kind or version is not a run's bundle."""
    assert failed(forged(version=2)) == ["statement"]
    body = canonical.dumps({"_type": "x"})
    other = signing.sign(bundle.PAYLOAD_TYPE, body, authority.ec_signer(BUNDLE_KEY), signing.key_id(PEM))
    assert failed(signing.serialize(other)) == ["statement"]
    with pytest.raises(EvidenceError):
        bundle.open_statement(signing.serialize(other), PEM)


def test_size_is_bounded() -> None:
    """A file beyond the limit is refused unread."""
    assert failed(b"x" * (bundle.BUNDLE_LIMIT_BYTES + 1)) == ["signature"]


def test_the_word_of_the_end_has_to_be_borne_out() -> None:
    """Success without its claims, a teardown that nobody asked for, and a word of no meaning fail."""
    world = World()
    run = world.start()
    world.attest(run, dbgstat="enabled")
    with pytest.raises(EvidenceError):
        world.call(verify_evidence, run=run)
    world.end(run, {"code": "evidence_refused"})
    refused = bundle.open_statement(world.storage.get(world.evidence, names.bundle(run)), PEM)
    for word in ("succeeded", "torn_down", "splendid"):
        predicate = msgspec.structs.replace(refused.predicate, outcome=word, reason="")
        lie = bundle.seal(
            msgspec.structs.replace(refused, predicate=predicate), authority.ec_signer(BUNDLE_KEY)
        )
        assert failed(lie) == ["outcome"]
    assert failed(forged(outcome="failed", reason="the signer may be stricter")) == []


def test_a_completion_by_another_key_fails() -> None:
    """The workload's last word counts with the attested key's signature alone."""
    world = World()
    run = world.succeed()
    world.call(record_completion, **world.word(run, "succeeded"))
    world.end(run)
    assert failed(world.storage.get(world.evidence, names.bundle(run))) == []
    said = {**world.word(run, "failed", authority.workload_key("another run")), "time": "t"}
    evidence = bundle.open_statement(good(), PEM).predicate.evidence
    text = canonical.dumps(said).decode()
    record = msgspec.structs.replace(
        evidence.records["plan"],
        name=names.completion(evidence.run),
        text=text,
        sha256=canonical.digest(text.encode()),
    )
    added = msgspec.structs.replace(evidence, records={**evidence.records, "completion": record})
    assert failed(forged(evidence=added)) == ["completion"]
