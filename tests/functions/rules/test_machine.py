"""Tests of `rules.machine`."""

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import compute_v1
from sealtrain.rules import machine
from sealtrain.rules.capacity import Attempt
from sealtrain.rules.errors import ConflictError
from sealtrain.rules.job import FrozenJob, Job, Limits, Machine
from sealtrain.rules.resources import Resource

from tests.functions.memory import DIGEST, IMAGE, SETTINGS

RUN = "r0123456789ab"
ON_DEMAND = Attempt("n2d-standard-2", "SEV", "on-demand", "us-central1-a")
RESERVED = Attempt("n2d-standard-2", "SEV", "reservation", "us-central1-a")
SPOT = Attempt("a3-highgpu-1g", "TDX", "spot", "us-central1-a")
FLEX = Attempt("a3-highgpu-1g", "TDX", "flex-start", "us-central1-a")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def frozen(attempt: Attempt) -> FrozenJob:
    """The admitted job of an attempt."""
    job = Job(machine=Machine(attempt.shape, attempt.mode), limits=Limits(seconds=600, cost_usd=100))  # type: ignore[arg-type]
    return FrozenJob(
        run=RUN, job=job, image=IMAGE, image_digest=DIGEST, bucket="b", objects=(), memory_bytes=1,
        worst_case_usd=1.0, admitted_at="t", expires=1234,
    )  # fmt: skip


def found(body: dict[str, Any], status: str = "RUNNING") -> Resource:
    """A body as the API would show it."""
    labels = body.get("labels", {})
    return Resource("instance", "1", body["name"], "us-central1-a", status, "t", labels, copy.deepcopy(body))


@pytest.mark.parametrize("attempt", [ON_DEMAND, SPOT, RESERVED, FLEX])
def test_the_server_holds_the_last_brake(attempt: Attempt) -> None:
    """Every VM ends by itself and is deleted then."""
    scheduling = machine.instance(SETTINGS, frozen(attempt), attempt, DIGEST)["scheduling"]
    assert scheduling["maxRunDuration"] == {"seconds": "600"}
    assert scheduling["instanceTerminationAction"] == "DELETE"
    assert scheduling["automaticRestart"] is False


@pytest.mark.parametrize("attempt", [ON_DEMAND, SPOT, RESERVED, FLEX])
def test_vm_and_template_come_from_one_spec(attempt: Attempt) -> None:
    """They differ only in name and in how addresses within a zone are spelled."""
    vm = machine.instance(SETTINGS, frozen(attempt), attempt, DIGEST)
    template = machine.template(SETTINGS, frozen(attempt), attempt, DIGEST)["properties"]
    same = set(template) - {"machineType", "disks"}
    assert {key: vm[key] for key in same} == {key: template[key] for key in same}
    assert vm["machineType"].endswith("/" + template["machineType"])


def test_a_spot_vm_is_asked_for_as_spot() -> None:
    """By its provisioning model and by no reservation; what the platform takes back is deleted."""
    body = machine.instance(SETTINGS, frozen(SPOT), SPOT, DIGEST)
    assert body["scheduling"]["provisioningModel"] == "SPOT"
    assert body["reservationAffinity"] == {"consumeReservationType": "NO_RESERVATION"}


def test_the_vm_is_confidential_closed_and_encrypted() -> None:
    """TEE, no external address, our key, the production image, the workload's account."""
    body = machine.instance(SETTINGS, frozen(ON_DEMAND), ON_DEMAND, DIGEST)
    assert body["confidentialInstanceConfig"] == {"confidentialInstanceType": "SEV"}
    assert "accessConfigs" not in body["networkInterfaces"][0]
    assert body["disks"][0]["diskEncryptionKey"]["kmsKeyName"].endswith("/cryptoKeys/storage")
    assert body["disks"][0]["initializeParams"]["sourceImage"].endswith("/family/confidential-space")
    assert body["serviceAccounts"][0]["email"].startswith("sealtrain-workload@")


def test_the_order_is_named_by_address_and_digest() -> None:
    """What the workload is to do stands in metadata that its token attests."""
    items = machine.metadata(SETTINGS, frozen(ON_DEMAND), DIGEST)
    assert items["tee-image-reference"] == IMAGE
    assert json.loads(items["tee-cmd"])[-1] == DIGEST
    assert "tee-install-gpu-driver" not in items
    assert machine.metadata(SETTINGS, frozen(FLEX), DIGEST)["tee-install-gpu-driver"] == "true"


def test_a_reservation_ends_by_itself_and_is_taken_by_name_only() -> None:
    """It costs nothing after its time, and no other VM consumes it."""
    body = machine.reservation(SETTINGS, frozen(RESERVED), RESERVED)
    assert int(body["deleteAfterDuration"]["seconds"]) > 600
    assert body["specificReservationRequired"] is True
    vm = machine.instance(SETTINGS, frozen(RESERVED), RESERVED, DIGEST)
    assert vm["reservationAffinity"]["values"] == [body["name"]]
    assert vm["reservationAffinity"]["key"] == "compute.googleapis.com/reservation-name"


def test_a_group_is_empty_and_leaves_a_dead_vm_dead() -> None:
    """A repaired flex-start VM would spend again."""
    body = machine.group(SETTINGS, RUN)
    assert body["targetSize"] == 0
    assert body["instanceLifecyclePolicy"] == {"defaultActionOnFailure": "DO_NOTHING"}


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("Instance", machine.instance(SETTINGS, frozen(ON_DEMAND), ON_DEMAND, DIGEST)),
        ("Instance", machine.instance(SETTINGS, frozen(SPOT), SPOT, DIGEST)),
        ("InstanceTemplate", machine.template(SETTINGS, frozen(FLEX), FLEX, DIGEST)),
        ("InstanceGroupManager", machine.group(SETTINGS, RUN)),
        ("InstanceGroupManagerResizeRequest", machine.resize_request(SETTINGS, frozen(FLEX))),
        ("Reservation", machine.reservation(SETTINGS, frozen(RESERVED), RESERVED)),
    ],
)
def test_bodies_are_what_the_api_knows(message: str, body: dict[str, Any]) -> None:
    """Google's own types take every field of every body."""
    kind = getattr(compute_v1, message)
    shown = json.loads(
        kind.to_json(kind.from_json(json.dumps(body)), always_print_fields_with_no_presence=False)
    )
    machine.check_same(found({**shown, "name": body["name"]}), body)


def test_a_request_id_is_derived() -> None:
    """A repeated create carries the same id."""
    assert machine.request_id("a") == machine.request_id("a") != machine.request_id("b")


def test_our_own_vm_is_recognised() -> None:
    """Full addresses and added fields are no difference."""
    body = machine.instance(SETTINGS, frozen(ON_DEMAND), ON_DEMAND, DIGEST)
    body["machineType"] = "https://www.googleapis.com/compute/v1/projects/p/" + body["machineType"]
    body["metadata"]["items"].append({"key": "added", "value": "x"})
    machine.check_same_instance(found(body), SETTINGS, frozen(ON_DEMAND), DIGEST)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("labels", "sealtrain-run"), "r000000000000"),
        (("confidentialInstanceConfig", "confidentialInstanceType"), "SEV_SNP"),
        (("machineType",), "zones/us-central1-a/machineTypes/n2d-standard-8"),
        (("serviceAccounts",), [{"email": "other@x"}]),
        (("metadata",), {"items": []}),
        (("scheduling", "provisioningModel"), "SPOT"),
    ],
)
def test_another_vm_of_our_name_is_a_conflict(path: tuple[str, ...], value: object) -> None:
    """A VM that differs where it matters is not taken for ours."""
    body = machine.instance(SETTINGS, frozen(ON_DEMAND), ON_DEMAND, DIGEST)
    place: Any = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ConflictError):
        machine.check_same_instance(found(body), SETTINGS, frozen(ON_DEMAND), DIGEST)


@pytest.mark.parametrize(
    ("status", "ago_s", "ended"),
    [
        ("RUNNING", 999, False),
        ("STAGING", 999, False),
        ("STOPPING", 999, False),
        ("TERMINATED", 59, False),
        ("TERMINATED", 61, True),
    ],
)
def test_a_vm_counts_as_ended_after_its_last_word_had_time(status: str, ago_s: int, ended: bool) -> None:
    """A VM that just stopped may still have a message on the way."""
    body = {"name": "m", "lastStopTimestamp": (NOW - timedelta(seconds=ago_s)).isoformat()}
    assert bool(machine.end_of(found(body, status), NOW, 60)) is ended
