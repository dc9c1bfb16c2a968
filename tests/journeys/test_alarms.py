"""What the platform's own log says of a machine: an alarm ends the run, whatever the run itself says."""

from __future__ import annotations

from sealtrain.rules import names
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World


def test_an_alarm_in_mid_run_disables_the_key_and_ends_the_run(world: World, few_lines: bytes) -> None:
    """A failed integrity check reaches the listener by the log sink; the run is torn down for that reason."""
    upload = world.upload("alarmed", few_lines, f"trainer: {world.trainers['hangs']}\n")
    run = run_of(upload)
    opening = f"/cryptoKeys/{run}:decrypt"
    world.until(
        lambda: any(
            one["status"] == 200 and opening in one["resource"]
            for one in world.get("/_control/calls")["calls"]
        ),
        "the machine has opened the data key",
    )
    (machine,) = world.ledger(run, "instance", "made")
    entry = {
        "logName": f"projects/{world.settings.project}/logs/compute.googleapis.com%2Fshielded_vm_integrity",
        "resource": {"type": "gce_instance", "labels": {"instance_id": str(machine["detail"]["id"])}},
        "labels": {"compute.googleapis.com/resource_name": names.machine(world.settings, run)},
        "entries": [{"jsonPayload": {"lateBootReportEvent": {"policyEvaluationPassed": False}}}],
    }
    world.post("/v2/entries:write", entry)

    closed = world.closed(upload)

    assert closed["outcome"] == "torn_down", closed
    assert "alarm about the machine: integrity; the data key had been handed over" in closed["reason"]
    alerts = [blob.name for blob in world.evidence.list_blobs(prefix=names.alert_prefix(run))]
    assert len(alerts) == 1
    assert world.record(names.receipt(run)) is None
    assert world.bills(run) == []
    assert world.bundle_problems(run) == []
