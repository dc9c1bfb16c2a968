"""Log entries about runs: kept as issued, told in rows, acted on when they raise an alarm."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import record_attestation
from sealtrain.rules import canonical, names, records
from sealtrain.rules.errors import InvalidRequestError, RefusedError
from sealtrain.rules.evidence import attested, policy
from sealtrain.rules.ledger import zone_of
from sealtrain.steps import verify_evidence

from tests.functions import authority
from tests.functions.closing import World

MACHINE_ID = "1000"


def integrity(run: str, **events: Any) -> dict[str, Any]:
    return {
        "insertId": "integrity-1",
        "logName": "projects/demo-project/logs/compute.googleapis.com%2Fshielded_vm_integrity",
        "timestamp": "2026-11-22T12:00:10Z",
        "resource": {"type": "gce_instance", "labels": {"instance_id": MACHINE_ID}},
        "labels": {"compute.googleapis.com/resource_name": f"sealtrain-{run}"},
        "jsonPayload": events,
    }


def test_entry_is_kept_as_issued_with_a_row_about_it() -> None:
    """The stored bytes are the entry's own, spelling included; the row names them by digest."""
    world = World()
    run = world.start()
    raw = (
        b'{ "insertId":"a1", "logName":"projects/p/logs/x", "timestamp":"2026-11-22T12:00:00Z",'
        + (f' "protoPayload": {{"resourceName":"projects/p/zones/z/instances/sealtrain-{run}"}} }}').encode()
    )
    rooms = {n: getattr(world, n) for n in ("storage", "kms", "pubsub", "bigquery", "ledger")}
    found = record_attestation.record_attestation(
        msgspec.Raw(raw), **rooms, settings=world.settings, clock=world.clock
    )
    assert world.storage.get(world.evidence, f"runs/{run}/logs/a1.log.json") == raw
    [row] = world.bigquery.rows.values()
    assert (row["evidence_object"], row["verdict"], found.alarm) == (found.object, "recorded", "")
    assert row["evidence_sha256"] == canonical.digest(raw)


@pytest.mark.parametrize(
    ("alarm", "events"),
    [
        ("integrity", {"lateBootReportEvent": {"policyEvaluationPassed": False}}),
        ("integrity", {"earlyBootReportEvent": {}}),
        ("integrity", {"sevLaunchAttestationReportEvent": {"integrityEvaluationPassed": False}}),
        (
            "debug",
            {
                "sevLaunchAttestationReportEvent": {
                    "integrityEvaluationPassed": True,
                    "sevPolicy": {"debugEnabled": True},
                }
            },
        ),
    ],
)
def test_alarm_closes_the_key_and_asks_for_teardown(alarm: str, events: dict[str, Any]) -> None:
    """A failed integrity check or a debuggable launch disables the key and asks for teardown."""
    world = World()
    run = world.start()
    assert world.call_raw(record_attestation, integrity(run, **events)).alarm == alarm
    versions = world.kms.list_versions(names.run_key(world.settings, run))
    assert [one.state for one in versions] == ["DISABLED"]
    [(topic, message)] = world.pubsub.published
    assert topic == "sealtrain-teardown-requests"
    assert message["run"] == run
    assert alarm in message["reason"]


def test_a_refused_attestation_cannot_be_pinned_on_another_run() -> None:
    """A caller names the challenge that the log repeats: spelled like another VM, it is about no run."""
    world = World()
    run = world.start()
    for name in (f"sealtrain-{run}", run):
        with pytest.raises(RefusedError):
            world.call_raw(record_attestation, refusal(f"{ATTESTATION}/challenges/{name}"))
    assert world.pubsub.published == []
    versions = world.kms.list_versions(names.run_key(world.settings, run))
    assert [one.state for one in versions] == ["ENABLED"]


ATTESTATION = "projects/demo-project/locations/us-central1"


def refusal(resource: str, **place: Any) -> dict[str, Any]:
    """The attestation service's audit entry about a call that it refused."""
    return {
        "insertId": "refused-1",
        "logName": "projects/demo-project/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": "2026-11-22T12:00:10Z",
        "resource": {"type": "audited_resource", **place},
        "protoPayload": {
            "serviceName": "confidentialcomputing.googleapis.com",
            "resourceName": resource,
            "status": {"code": 7},
        },
    }


def test_good_integrity_raises_none() -> None:
    """A passed integrity check is kept and does nothing else."""
    world = World()
    run = world.start()
    entry = integrity(run, lateBootReportEvent={"policyEvaluationPassed": True})
    assert world.call_raw(record_attestation, entry).alarm == ""
    assert world.pubsub.published == []


def test_what_a_workload_writes_about_itself_counts_for_nothing() -> None:
    """A workload's line that says it was attested is kept, and no verdict follows from it."""
    world = World()
    run = world.start()
    entry = integrity(run, MESSAGE="attestation passed", lateBootReportEvent=None)
    entry["logName"] = "projects/demo-project/logs/confidential-space-launcher"
    world.call_raw(record_attestation, entry)
    assert [row["verdict"] for row in world.bigquery.rows.values()] == ["recorded"]


def test_same_entry_twice_is_one() -> None:
    """A second delivery adds neither object nor row."""
    world = World()
    run = world.start()
    first = world.call_raw(record_attestation, integrity(run))
    objects, rows = dict(world.storage.objects), dict(world.bigquery.rows)
    assert world.call_raw(record_attestation, integrity(run)) == first
    assert (world.storage.objects, world.bigquery.rows) == (objects, rows)


def test_other_content_under_a_used_id_is_kept_beside_it() -> None:
    """Another entry with the same id does not replace the first, and is not lost."""
    world = World()
    run = world.start()
    world.call_raw(record_attestation, integrity(run))
    other = world.call_raw(record_attestation, integrity(run, more=1))
    assert other.object.startswith(f"runs/{run}/logs/integrity-1.")
    assert len(world.storage.list(world.evidence, f"runs/{run}/logs/")) == 2


@pytest.mark.parametrize("odd", ["../../closed", "a/b", "", "x" * 200, "..", "a\u202eb"])
def test_odd_insert_id_never_becomes_a_path(odd: str) -> None:
    """An insert id that is no plain word is replaced by the entry's digest."""
    world = World()
    run = world.start()
    found = world.call_raw(record_attestation, {**integrity(run), "insertId": odd})
    assert found.object.startswith(f"runs/{run}/logs/sha256-")
    assert found.object.count("/") == 3


@pytest.mark.parametrize("name", ["", "sealtrain-r0123456789ab0", "other-r0123456789ab", "r0123"])
def test_entry_about_no_run_is_refused(name: str) -> None:
    """An entry whose resource is no run's machine or key, or of an unknown run, is dropped."""
    world = World()
    world.start()
    entry = integrity("x")
    entry["labels"] = {"compute.googleapis.com/resource_name": name}
    with pytest.raises(RefusedError, match="no run"):
        world.call_raw(record_attestation, entry)
    assert world.bigquery.rows == {}


def test_what_is_no_entry_is_refused() -> None:
    """A message that is no log entry is refused for good."""
    world = World()
    for message in ({}, [], {"insertId": 1, "logName": "x", "timestamp": "y"}):
        with pytest.raises(InvalidRequestError):
            world.call_raw(record_attestation, message)


def booted(run: str, instance_id: str = MACHINE_ID) -> dict[str, Any]:
    entry = integrity(run, bootCounter="1")
    entry["resource"]["labels"]["instance_id"] = instance_id
    return entry


def closed_with(world: World, run: str, reason: str) -> records.Alert:
    """The alert record of a run whose key is closed and whose teardown was asked for, for this reason."""
    versions = world.kms.list_versions(names.run_key(world.settings, run))
    assert [one.state for one in versions] == ["DISABLED"]
    assert [(topic, message["run"]) for topic, message in world.pubsub.published] == [
        ("sealtrain-teardown-requests", run)
    ]
    alerts = world.storage.list(world.evidence, f"runs/{run}/alerts/")
    [one] = [one for one in alerts if one.name.endswith(".alert.json")]
    alert = records.parse(world.storage.get(world.evidence, one.name), records.Alert, "alert")
    assert {finding.reason for finding in alert.reasons} == {reason}
    return alert


def test_alarm_makes_an_alert_record_about_the_kept_entry() -> None:
    """The alert names the entry by digest, what was found, and whether the key had been handed over."""
    world = World()
    run = world.start()
    entry = integrity(run, lateBootReportEvent={"policyEvaluationPassed": False})
    kept = world.call_raw(record_attestation, entry).object
    alert = closed_with(world, run, "integrity")
    assert (alert.source, alert.released) == (kept, False)
    assert alert.source_sha256 == canonical.digest(world.storage.get(world.evidence, kept))


def test_entry_of_an_unknown_machine_is_an_alarm() -> None:
    """A machine of the run's name that the ledger does not know closes the key."""
    world = World()
    run = world.start()
    assert world.call_raw(record_attestation, booted(run, "666")).alarm == "instance"
    [finding] = closed_with(world, run, "instance").reasons
    assert finding.got == "666"
    assert MACHINE_ID in finding.expected


def test_entry_of_a_machine_that_is_just_being_made_is_none() -> None:
    """Between intent and outcome nobody knows the machine's id yet."""
    world = World()
    run = world.prepare()
    zone = "projects/demo-project/zones/us-central1-a"
    world.ledger.intent(run, "instance", f"{zone}/instances/sealtrain-{run}")
    assert world.call_raw(record_attestation, booted(run)).alarm == ""


def test_entry_of_a_machine_that_a_group_is_waited_for_is_none() -> None:
    """A flex-start machine may speak before the step that looks for it has seen it."""
    world = World()
    run = world.prepare()
    world.ledger.intent(run, "request", "projects/demo-project/zones/us-central1-a/x/sealtrain-r")
    assert world.call_raw(record_attestation, booted(run)).alarm == ""
    other = World()
    assert other.call_raw(record_attestation, booted(other.prepare())).alarm == "instance"


def test_silence_is_an_alarm() -> None:
    """A machine that has run a quarter of an hour without a token closes the key; with one it does not."""
    world = World()
    run = world.start()
    assert world.call_raw(record_attestation, booted(run)).alarm == ""
    world.time += timedelta(seconds=attested.SILENCE_S)
    assert world.call_raw(record_attestation, booted(run)).alarm == "silence"
    closed_with(world, run, "silence")
    speaking = World()
    other = speaking.start()
    speaking.attest(other)
    speaking.time += timedelta(seconds=attested.SILENCE_S)
    assert speaking.call_raw(record_attestation, booted(other)).alarm == ""


def attest_again(world: World, run: str, number: int = 1, **changes: Any) -> None:
    """The machine shows a later token, as the workload stores it."""
    digest = world.state.order(run)[1]
    pem = authority.public_pem(world.workload_key)
    name = world.instance(run)
    good = {
        "submods__gce__instance_id": world.compute.found[name].id,
        "submods__gce__zone": zone_of(name),
        "submods__gce__instance_name": name.rpartition("/")[2],
        "swversion": [f"26080{number}"],
    }
    body = authority.claims(records.nonce(digest, pem), **{**good, **changes})
    record = records.TokenRecord(authority.issue(body), pem, digest)
    place = world.place(run, number)
    world.storage.created = authority.NOW.isoformat()
    world.storage.create(world.evidence, place, canonical.dumps(record))


LATER_CASES: list[tuple[str, dict[str, Any]]] = [
    ("debug", {"dbgstat": "enabled"}),
    ("hwmodel", {"hwmodel": "GCP_SHIELDED_VM"}),
    ("gpu", {"submods__nvidia_gpu": {"cc_mode": "OFF"}}),
    ("image", {"submods__container__image_digest": "sha256:" + "00" * 32}),
]


@pytest.mark.parametrize(("reason", "changes"), LATER_CASES, ids=[reason for reason, _ in LATER_CASES])
def test_a_later_token_that_does_not_meet_the_policy_closes_the_key(
    reason: str, changes: dict[str, Any]
) -> None:
    """Each attestation after the first is judged as the first was, and the judgement is on record."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    attest_again(world, run, 1)
    assert world.call_raw(record_attestation, booted(run)).alarm == ""
    attest_again(world, run, 2, **changes)
    assert world.call_raw(record_attestation, integrity(run)).alarm == reason
    closed_with(world, run, reason)
    kept = names.judgement(run, 2)
    verdict = records.parse(world.storage.get(world.evidence, kept), records.VerdictRecord, "judgement")
    assert (verdict.verdict, verdict.policy_version) == ("not_met", policy.load().version)
    assert verdict.token_digest
    assert verdict.verifier


def foreign(world: World, run: str) -> dict[str, bytes]:
    """Later records that are not the machine's own word, by the reason for which each is refused."""
    shown: dict[str, dict[str, Any]] = {
        "instance": {"submods__gce__instance_id": "666"},
        "nonce": {"eat_nonce": ["another"]},
    }
    found = {"malformed": b"{}", "replay": world.storage.get(world.evidence, names.token(run))}
    place = world.evidence, world.place(run, 1)
    for reason, changes in shown.items():
        attest_again(world, run, 1, **changes)
        found[reason] = world.storage.objects.pop(place)[1]
    return found


@pytest.mark.parametrize("reason", ["instance", "malformed", "nonce", "replay"])
def test_a_later_record_of_another_ends_no_run(reason: str) -> None:
    """What is not the machine's own word is judged, kept, and no alarm, even where its tokens stand."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    world.storage.created = authority.NOW.isoformat()
    world.storage.create(world.evidence, world.place(run, 1), foreign(world, run)[reason])
    assert world.call_raw(record_attestation, booted(run)).alarm == ""
    kept = records.parse(
        world.storage.get(world.evidence, names.judgement(run, 1)), records.VerdictRecord, "judgement"
    )
    assert (kept.verdict, {one.reason for one in kept.reasons}) == ("not_met", {reason})
    assert world.pubsub.published == []


def test_a_delivery_that_was_cut_off_is_done_again() -> None:
    """The second delivery finds the alert, and closes the key and asks for teardown all the same."""
    world = World()
    run = world.start()
    entry = booted(run, "666")
    world.call_raw(record_attestation, entry)
    world.kms.states.clear()
    world.pubsub.published.clear()
    world.call_raw(record_attestation, entry)
    closed_with(world, run, "instance")
