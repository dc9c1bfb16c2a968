"""Tests of `cloud.compute` on the stand-in."""

from typing import Any

import pytest
from sealtrain.cloud.compute import Compute
from sealtrain.cloud.connect import Cloud
from sealtrain.rules import machine, names
from sealtrain.rules.capacity import Attempt
from sealtrain.rules.errors import AlreadyExistsError, InvalidRequestError, UnsupportedError
from sealtrain.rules.job import FrozenJob, Job, Machine

from tests.functions.memory import DIGEST, IMAGE

ZONE = "us-central1-a"
PLAIN = Attempt("n2d-standard-2", "SEV", "on-demand", ZONE)
RESERVED = Attempt("n2d-standard-2", "SEV", "reservation", ZONE)
FLEX = Attempt("a3-highgpu-1g", "TDX", "flex-start", ZONE)


@pytest.fixture
def compute(cloud: Cloud) -> Compute:
    """Compute of the test's cloud."""
    found: Compute = cloud.get("compute")
    return found


def frozen(run: str, attempt: Attempt) -> FrozenJob:
    """The admitted job of an attempt."""
    return FrozenJob(
        run=run, job=Job(machine=Machine(attempt.shape, attempt.mode)), image=IMAGE, image_digest=DIGEST,  # type: ignore[arg-type]
        bucket="b", objects=(), memory_bytes=1, worst_case_usd=1.0, admitted_at="t", expires=1_900_000_000,
    )  # fmt: skip


def insert(compute: Compute, kind: Any, name: str, body: dict[str, Any]) -> None:
    """Ask for a resource, look at the operation, and see that what stands is what was asked for."""
    operation = compute.insert(kind, name, body, machine.request_id(name))
    compute.get_operation(operation)
    found = compute.get(kind, name)
    assert found is not None
    assert found.id.isdigit()
    machine.check_same(found, {"name": body["name"]})


def test_a_vm_is_inserted_once_and_found_by_its_label(cloud: Cloud, compute: Compute) -> None:
    """The same request id is the same insert; another one meets the VM that stands."""
    s, run = cloud.settings, "r00000000000a"
    name = names.instance(s, run, ZONE)
    body = machine.instance(s, frozen(run, PLAIN), PLAIN, DIGEST)
    insert(compute, "instance", name, body)
    compute.insert("instance", name, body, machine.request_id(name))
    with pytest.raises(AlreadyExistsError):
        compute.insert("instance", name, body, machine.request_id("another"))
    (found,) = compute.list("instance", label=f"sealtrain-run={run}")
    machine.check_same_instance(found, s, frozen(run, PLAIN), DIGEST)
    assert machine.disk_key(found) == names.storage_key(s)
    assert found.zone == ZONE
    assert compute.delete("instance", name) is not None


def test_a_reservation_is_inserted_and_listed(cloud: Cloud, compute: Compute) -> None:
    """What cannot carry labels is found by its name's beginning."""
    s, run = cloud.settings, "r00000000000b"
    name = names.reservation(s, run, ZONE)
    insert(compute, "reservation", name, machine.reservation(s, frozen(run, RESERVED), RESERVED))
    assert [r.name for r in compute.list("reservation", prefix=names.machine(s, run))] == [
        names.machine(s, run)
    ]
    assert compute.delete("reservation", name) is not None


def test_flex_start_is_template_group_and_request(cloud: Cloud, compute: Compute) -> None:
    """Each is inserted, equal to its body, and listed."""
    s, run = cloud.settings, "r00000000000c"
    job = frozen(run, FLEX)
    group = names.group(s, run, ZONE)
    bodies: list[tuple[Any, str, dict[str, Any]]] = [
        ("template", names.template(s, run), machine.template(s, job, FLEX, DIGEST)),
        ("group", group, machine.group(s, run)),
        ("request", names.request(s, run, ZONE), machine.resize_request(s, job)),
    ]
    for kind, name, body in bodies:
        insert(compute, kind, name, body)
    assert len(compute.list("template", prefix=names.machine(s, run))) == 1
    assert len(compute.list("group", prefix=names.machine(s, run))) == 1
    assert [r.name for r in compute.list_requests(group)] == [names.machine(s, run)]
    for _ in range(2):
        compute.delete("group", group)


@pytest.mark.parametrize("kind", ["instance", "template", "group", "request", "reservation"])
def test_what_is_not_there_is_none(cloud: Cloud, compute: Compute, kind: Any) -> None:
    """Looking, deleting and listing take "not there" as an answer."""
    s, run = cloud.settings, "r00000000000d"
    name = {
        "instance": names.instance(s, run, ZONE), "template": names.template(s, run),
        "group": names.group(s, run, ZONE), "request": names.request(s, run, ZONE),
        "reservation": names.reservation(s, run, ZONE),
    }[kind]  # fmt: skip
    assert compute.get(kind, name) is None
    assert compute.delete(kind, name) is None
    assert compute.list_requests(names.group(s, run, ZONE)) == []


def test_a_machine_that_does_not_exist_is_unsupported(cloud: Cloud, compute: Compute) -> None:
    """What the platform refuses for good is not tried again."""
    s, run = cloud.settings, "r00000000000e"
    body = machine.instance(s, frozen(run, PLAIN), PLAIN, DIGEST)
    body["confidentialInstanceConfig"] = {"confidentialInstanceType": "SEV_SNP"}
    name = names.instance(s, run, ZONE)
    with pytest.raises(UnsupportedError):
        compute.insert("instance", name, body, machine.request_id(name))


def test_a_short_name_is_refused(compute: Compute) -> None:
    """A resource is named in full, or not at all."""
    with pytest.raises(InvalidRequestError):
        compute.get("instance", "sealtrain-r0")
