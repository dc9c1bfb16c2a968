"""Claims of a run from its records: each one both ways, and never from a missing record."""

import json
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import record_attestation
from sealtrain.rules import bundle, canonical, names
from sealtrain.rules.claims import TABLE, Claim, evaluate
from sealtrain.rules.facts import Evidence, Facts, Record

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World


@lru_cache(maxsize=1)
def good() -> Evidence:
    """The evidence of a run that went well, with the key service's log collected."""
    world = World()
    run = world.succeed()
    world.call_raw(record_attestation, world.log_entry(run))
    world.end(run)
    data = world.storage.get(world.evidence, names.bundle(run))
    statement = bundle.open_statement(data, authority.public_pem(BUNDLE_KEY))
    return statement.predicate.evidence


def claims(evidence: Evidence) -> dict[str, Claim]:
    return {one.id: one for one in evaluate(Facts(evidence, authority.root_pem()))}


def without(*words: str) -> Evidence:
    kept = {word: one for word, one in good().records.items() if word not in words}
    return msgspec.structs.replace(good(), records=kept)


def changed(word: str, **values: Any) -> Evidence:
    """Evidence whose record has other values, under a fitting digest."""
    plain = {**json.loads(good().records[word].text), **values}
    return with_record(word, rewritten(good().records[word], plain))


def with_record(word: str, record: Record) -> Evidence:
    return msgspec.structs.replace(good(), records={**good().records, word: record})


def rewritten(record: Record, plain: Any) -> Record:
    data = canonical.dumps(plain)
    return msgspec.structs.replace(record, text=data.decode(), sha256=canonical.digest(data))


def with_ledger(change: Any) -> Evidence:
    """Evidence whose ledger entries were changed, each by `change`; None drops one."""
    entries = []
    for record in good().ledger:
        plain = change(json.loads(record.text))
        if plain is not None:
            entries.append(rewritten(record, plain))
    return msgspec.structs.replace(good(), ledger=tuple(entries))


def test_good_run_meets_every_claim_that_applies() -> None:
    """With all records there, every claim is met or does not apply, and rests on records."""
    found = claims(good())
    assert {one.verdict for one in found.values()} == {"met", "not_applicable"}
    assert all(one.records and one.reasons for one in found.values())
    assert [one.id for one in found.values()] == [row[0] for row in TABLE]


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ("dataset_bound", "receipt"),
        ("dataset_bound", "order"),
        ("key_released_after_verdict", "release"),
        ("model_from_attested_workload", "published"),
        ("confidential_hardware", "verdict"),
        ("within_limits", "plan"),
        ("nothing_left", "proof"),
    ],
)
def test_missing_record_is_no_evidence(claim: str, word: str) -> None:
    """A claim whose record is missing is no_evidence, with a reason."""
    found = claims(without(word))[claim]
    assert found.verdict == "no_evidence"
    assert found.reasons[0]


def test_no_records_at_all_meets_nothing_about_data_machine_or_model() -> None:
    """Nothing is met without evidence."""
    empty = msgspec.structs.replace(good(), records={}, ledger=(), logs=())
    assert {one.verdict for one in claims(empty).values()} == {"no_evidence"}


def test_machine_without_a_token_is_silence() -> None:
    """A machine that ran and showed no token is not met, not merely unknown."""
    found = claims(without("token", "verdict", "receipt"))["workload_attested"]
    assert (found.verdict, "silence" in found.reasons[0]) == ("not_met", True)


@pytest.mark.parametrize("word", ["order", "token", "verdict", "receipt", "release", "proof", "plan"])
@pytest.mark.parametrize("text", ["", "[]", "{}", "{" * 300, '{"run": 1, "run": 2}', "\ud800"])
def test_broken_record_never_raises_and_never_helps(word: str, text: str) -> None:
    """A record that cannot be read fails claims; it raises nothing and makes nothing met."""
    broken = msgspec.structs.replace(
        good().records[word],
        text=text,
        sha256=canonical.digest(text.encode(errors="surrogatepass")),
    )
    found = claims(with_record(word, broken))
    resting = [name for name, _, words, _ in TABLE if word in words]
    assert [name for name in resting if found[name].verdict == "met"] == []


def test_text_that_has_not_its_digest_is_told() -> None:
    """A record whose text was exchanged under its digest fails its claims by name."""
    record = msgspec.structs.replace(good().records["receipt"], text="{}")
    found = claims(with_record("receipt", record))["model_from_attested_workload"]
    assert found.verdict == "not_met"
    assert "digest" in found.reasons[0]


def test_release_before_the_verdict_is_not_met() -> None:
    """The order of verdict and hand-over is that of the storage's own times."""
    early = msgspec.structs.replace(good().records["release"], created="2026-11-21T00:00:00+00:00")
    found = claims(with_record("release", early))["key_released_after_verdict"]
    assert found.verdict == "not_met"


def test_release_without_an_accepting_verdict_is_not_met() -> None:
    """A hand-over after a refusal, for another order, or with no verdict at all is not met."""
    for evidence in (
        changed("verdict", verdict="not_met"),
        changed("release", order_digest="sha256:" + "00" * 32),
        without("verdict"),
    ):
        assert claims(evidence)["key_released_after_verdict"].verdict == "not_met"


def test_verdict_about_another_token_is_not_met() -> None:
    """A verdict that names another token's digest does not accept this one."""
    found = claims(changed("verdict", token_digest="sha256:" + "00" * 32))
    assert found["workload_attested"].verdict == "not_met"


def test_token_is_judged_again() -> None:
    """A recorded `met` is not believed: judged at a time when it was expired, it is not met."""
    found = claims(changed("verdict", time="2026-11-23T12:00:00+00:00"))
    assert found["workload_attested"].verdict == "not_met"
    assert found["model_from_attested_workload"].verdict == "not_met"


def test_what_was_allowed_then_counts() -> None:
    """An approval that was taken back after the verdict does not unmake the run."""
    later = msgspec.structs.replace(good().deployment, approved_images=())
    found = claims(msgspec.structs.replace(good(), deployment=later))
    assert found["workload_attested"].verdict == "met"


def test_other_objects_than_the_receipts_are_not_met() -> None:
    """Objects that differ from the signed receipt are not the attested machine's model."""
    found = claims(changed("published", objects=[]))["model_from_attested_workload"]
    assert found.verdict == "not_met"


@pytest.mark.parametrize("key", ["", "projects/demo-project/locations/x/keyRings/y/cryptoKeys/z"])
def test_other_key_at_rest_is_not_met(key: str) -> None:
    """A bucket or disk under another key, or none on record, is not met."""

    def change(entry: dict[str, Any]) -> dict[str, Any]:
        if entry["kind"] == "instance" and entry["phase"] == "made":
            entry["detail"]["kms_key"] = key
        return entry

    assert claims(with_ledger(change))["encrypted_at_rest"].verdict == "not_met"


def test_machine_that_outlived_its_limit_is_not_met() -> None:
    """A machine seen absent long after its allowed time breaks the limits."""

    def change(entry: dict[str, Any]) -> dict[str, Any]:
        if entry["kind"] == "instance" and entry["phase"] == "gone":
            entry["time"] = "2026-11-23T12:00:00+00:00"
        return entry

    found = claims(with_ledger(change))["within_limits"]
    assert (found.verdict, "lived" in found.reasons[0]) == ("not_met", True)


def test_resource_never_seen_absent_is_left() -> None:
    """A resource without a sighting of its absence is named as left, whatever the proof says."""

    def change(entry: dict[str, Any]) -> dict[str, Any] | None:
        return None if (entry["kind"], entry["phase"]) == ("bucket", "gone") else entry

    found = claims(with_ledger(change))["nothing_left"]
    assert found.verdict == "not_met"
    assert "sealtrain-demo-project-r" in found.reasons[0]


def test_ledger_times_that_are_none_fail_the_claim() -> None:
    """A ledger entry with a time that is no time fails what is computed from it."""
    found = claims(with_ledger(lambda entry: {**entry, "time": "soon"}))
    assert found["within_limits"].verdict == "not_met"


@pytest.mark.parametrize("change", ["other", "early", "denied"])
def test_key_log_tells_who_opened_the_key(change: str) -> None:
    """Another principal, or a time before the verdict, is not met; refused attempts alone prove nothing."""
    [record] = good().logs
    entry = json.loads(record.text)
    match change:
        case "other":
            entry["protoPayload"]["authenticationInfo"]["principalSubject"] += "0"
        case "early":
            entry["timestamp"] = "2026-11-21T00:00:00Z"
        case "denied":
            entry["protoPayload"]["status"] = {"code": 7}
    evidence = msgspec.structs.replace(good(), logs=(rewritten(record, entry),))
    wanted = "no_evidence" if change == "denied" else "not_met"
    assert claims(evidence)["key_log"].verdict == wanted


def test_alarm_in_the_logs_is_not_met() -> None:
    """A collected alarm fails the claim about logs."""
    [record] = good().logs
    alarm = {
        "insertId": "x",
        "logName": "projects/p/logs/compute.googleapis.com%2Fshielded_vm_integrity",
        "timestamp": "2026-11-22T12:00:00Z",
        "jsonPayload": {"lateBootReportEvent": {"policyEvaluationPassed": False}},
    }
    evidence = msgspec.structs.replace(good(), logs=(rewritten(record, alarm),))
    assert claims(evidence)["logs_recorded"].verdict == "not_met"


def test_key_opened_without_an_accepted_machine_is_not_met() -> None:
    """Whoever the log names: where no machine was attested, nobody was to open the key."""
    bad = changed("token", token="no token")
    assert claims(bad)["key_log"].verdict == "not_met"
    assert "attested" in claims(bad)["key_log"].reasons[0]


def test_log_entries_that_are_left_out_are_told() -> None:
    """What is not in the bundle may name another who opened the key: no evidence, and how many, in words."""
    short = msgspec.structs.replace(good(), logs_left_out=3)
    for name in ("key_log", "logs_recorded"):
        assert claims(short)[name].verdict == "no_evidence"
        assert "3 of 4 log entries" in claims(short)[name].reasons[0]
