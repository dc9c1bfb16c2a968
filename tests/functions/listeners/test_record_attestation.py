"""Log entries about runs: kept as issued, told in rows, acted on when they raise an alarm."""

from typing import Any

import msgspec
import pytest
from sealtrain.listeners import record_attestation
from sealtrain.rules import canonical, names
from sealtrain.rules.errors import InvalidRequestError, RefusedError

from tests.functions.closing import World


def integrity(run: str, **events: Any) -> dict[str, Any]:
    return {
        "insertId": "integrity-1",
        "logName": "projects/demo-project/logs/compute.googleapis.com%2Fshielded_vm_integrity",
        "timestamp": "2026-11-22T12:00:10Z",
        "resource": {"type": "gce_instance", "labels": {"instance_id": "4"}},
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
    rooms = {n: getattr(world, n) for n in ("storage", "kms", "pubsub", "bigquery")}
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


def test_refused_attestation_in_the_audit_log_is_an_alarm() -> None:
    """The attestation service's own log of a refusal is an alarm about the VM that the platform names."""
    world = World()
    run = world.start()
    entry = refusal(f"{ATTESTATION}/challenges/1", labels={"instance_name": f"sealtrain-{run}"})
    assert world.call_raw(record_attestation, entry).alarm == "attestation_refused"


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
