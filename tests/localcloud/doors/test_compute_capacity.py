"""Reservations, templates, groups and resize requests through the official clients."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound

from localcloud.world.faults import Fault
from tests.localcloud.conftest import World, eventually
from tests.localcloud.machine.instances import (
    PROJECT,
    client,
    gpu_template,
    insert,
    instance,
    status,
    wait,
)

ZONE = "us-central1-a"
AFFINITY = "compute.googleapis.com/reservation-name"


def reserve(world: World, name: str, machine_type: str = "n2d-standard-2", **fields: Any) -> None:
    body = {
        "name": name,
        "specific_reservation": {"count": 1, "instance_properties": {"machine_type": machine_type}},
        "specific_reservation_required": True,
        **fields,
    }
    request = {"project": PROJECT, "zone": ZONE, "reservation_resource": body}
    wait(world, client(world, "Reservations").insert_unary(request=request))


def using(reservation: str) -> dict[str, Any]:
    held = {"consume_reservation_type": "SPECIFIC_RESERVATION", "key": AFFINITY, "values": [reservation]}
    return {"reservation_affinity": held}


def test_an_instance_consumes_its_reservation_once(world: World) -> None:
    """READY, then in use; a second instance finds no room, and a second reservation no such name."""
    reserve(world, "one")
    with pytest.raises(Conflict):
        reserve(world, "one")
    wait(world, insert(world, instance(world, "holder", **using("one"))))
    got = client(world, "Reservations").get(project=PROJECT, zone=ZONE, reservation="one")
    assert (got.status, got.specific_reservation.in_use_count) == ("READY", 1)
    with pytest.raises(BadRequest, match="does not have available resources"):
        insert(world, instance(world, "second", **using("one")))


def test_a_reservation_must_fit_exactly(world: World) -> None:
    """Another machine type or CPU platform, or no such reservation: 400."""
    reserve(world, "fits", "n2d-standard-4")
    with pytest.raises(BadRequest, match="machineType"):
        insert(world, instance(world, "misfit", **using("fits")))
    with pytest.raises(BadRequest, match="does not exist"):
        insert(world, instance(world, "misfit", **using("none")))


def test_a_reservation_ends_by_itself(world: World) -> None:
    """deleteAfterDuration: when the clock has moved past it, it is gone."""
    reserve(world, "brief", delete_after_duration={"seconds": 600})
    world.cloud.clock.advance(601)
    wanted = {"project": PROJECT, "zone": ZONE, "filter": "name=brief"}
    eventually(lambda: not list(client(world, "Reservations").list(request=wanted)))


def test_a_deleted_reservation_is_gone(world: World) -> None:
    """And a second delete finds nothing."""
    reserve(world, "deleted")
    gone = {"project": PROJECT, "zone": ZONE, "reservation": "deleted"}
    wait(world, client(world, "Reservations").delete_unary(**gone))
    with pytest.raises(NotFound):
        client(world, "Reservations").delete_unary(**gone)


def template(world: World, name: str, properties: dict[str, Any]) -> str:
    body = {"name": name, "properties": properties}
    request = {"project": PROJECT, "instance_template_resource": body}
    wait(world, client(world, "InstanceTemplates").insert_unary(request=request), None)
    return f"projects/{PROJECT}/global/instanceTemplates/{name}"


def group(world: World, name: str, template_name: str, action: str = "DO_NOTHING", size: int = 0) -> None:
    body = {
        "name": name,
        "instance_template": template_name,
        "target_size": size,
        "instance_lifecycle_policy": {"default_action_on_failure": action},
    }
    request = {"project": PROJECT, "zone": ZONE, "instance_group_manager_resource": body}
    wait(world, client(world, "InstanceGroupManagers").insert_unary(request=request))


def ask(world: World, group_name: str, name: str, **fields: Any) -> None:
    body = {"name": name, "instances": [{"name": name}], **fields}
    request = {
        "project": PROJECT,
        "zone": ZONE,
        "instance_group_manager": group_name,
        "instance_group_manager_resize_request_resource": body,
    }
    wait(world, client(world, "InstanceGroupManagerResizeRequests").insert_unary(request=request))


def request_of(group_name: str, name: str) -> dict[str, str]:
    where = {"project": PROJECT, "zone": ZONE, "instance_group_manager": group_name}
    return {**where, "resize_request": name}


def test_a_resize_request_gives_the_named_instance(world: World) -> None:
    """ACCEPTED, then SUCCEEDED with an instance of the group, which no one may stop and no second request
    may have; deleting the group deletes it.
    """
    made = template(world, "flex", gpu_template(world))
    group(world, "flex", made)
    ask(world, "flex", "flex-vm", requested_run_duration={"seconds": 7200})
    requests = client(world, "InstanceGroupManagerResizeRequests")
    eventually(lambda: requests.get(**request_of("flex", "flex-vm")).state == "SUCCEEDED")
    got = client(world, "Instances").get(project=PROJECT, zone=ZONE, instance="flex-vm")
    assert got.scheduling.max_run_duration.seconds == 7200
    with pytest.raises(BadRequest, match="cannot be stopped"):
        client(world, "Instances").stop_unary(project=PROJECT, zone=ZONE, instance="flex-vm")
    ask(world, "flex", "again", instances=[{"name": "flex-vm"}])
    eventually(lambda: requests.get(**request_of("flex", "again")).state == "FAILED")
    groups = client(world, "InstanceGroupManagers")
    where = {"project": PROJECT, "zone": ZONE, "instance_group_manager": "flex"}
    assert [m.name for m in groups.list_managed_instances(**where)] == ["flex-vm"]
    with pytest.raises(BadRequest, match="already being used"):
        client(world, "InstanceTemplates").delete_unary(project=PROJECT, instance_template="flex")
    wait(world, groups.delete_unary(**where))
    with pytest.raises(NotFound):
        status(world, "flex-vm")
    client(world, "InstanceTemplates").delete_unary(project=PROJECT, instance_template="flex")


def test_a_waiting_request_is_cancelled_before_it_is_deleted(world: World) -> None:
    """With the clock standing still it waits: its name is taken, delete is refused, cancel works once; then
    delete. A group that is being deleted takes no request.
    """
    group(world, "waits", template(world, "waits", gpu_template(world)))
    world.cloud.clock.freeze()
    try:
        ask(world, "waits", "waits-vm")
        requests = client(world, "InstanceGroupManagerResizeRequests")
        with pytest.raises(Conflict):
            ask(world, "waits", "waits-vm")
        with pytest.raises(BadRequest, match="cancel it"):
            requests.delete_unary(**request_of("waits", "waits-vm"))
        requests.cancel_unary(**request_of("waits", "waits-vm"))
        assert requests.get(**request_of("waits", "waits-vm")).state == "CANCELLED"
        with pytest.raises(BadRequest, match="only one that waits"):
            requests.cancel_unary(**request_of("waits", "waits-vm"))
        requests.delete_unary(**request_of("waits", "waits-vm"))
        where = {"project": PROJECT, "zone": ZONE, "instance_group_manager": "waits"}
        client(world, "InstanceGroupManagers").delete_unary(**where)
        with pytest.raises(BadRequest, match="not ready"):
            ask(world, "waits", "too-late")
    finally:
        world.cloud.clock.thaw()


@pytest.mark.parametrize(
    ("action", "changes", "duration", "message"),
    [
        ("REPAIR", {}, 3600, "DO_NOTHING"),
        ("DO_NOTHING", {}, 60, "requestedRunDuration"),
        ("DO_NOTHING", {"instance_termination_action": "STOP"}, 3600, "DELETE"),
        ("DO_NOTHING", {"provisioning_model": "SPOT"}, 3600, "SPOT"),
    ],
)
def test_a_resize_request_has_conditions(
    world: World, action: str, changes: dict[str, str], duration: int, message: str
) -> None:
    """No repairs, bounded time, deletion at the end, no Spot: 400 otherwise."""
    short = f"no-{message.lower().replace('_', '-')}"
    group(world, short, template(world, short, gpu_template(world, **changes)), action)
    with pytest.raises(BadRequest, match=message):
        ask(world, short, f"{short}-vm", requested_run_duration={"seconds": duration})


def test_a_resize_request_uses_no_reservation(world: World) -> None:
    """A template that may take any reservation is refused: 400."""
    properties = gpu_template(world, provisioning_model="STANDARD")
    properties["reservation_affinity"] = {"consume_reservation_type": "ANY_RESERVATION"}
    group(world, "reserving", template(world, "reserving", properties))
    with pytest.raises(BadRequest, match="NO_RESERVATION"):
        ask(world, "reserving", "reserving-vm")


def test_a_group_begins_with_its_instances(world: World) -> None:
    """As many as its size says, of its template; its name is taken."""
    made = template(world, "sized", gpu_template(world))
    group(world, "sized", made, size=2)
    with pytest.raises(Conflict):
        group(world, "sized", made)
    where = {"project": PROJECT, "zone": ZONE, "instance_group_manager": "sized"}
    groups = client(world, "InstanceGroupManagers")
    names = [found.instance.rpartition("/")[2] for found in groups.list_managed_instances(**where)]
    assert [name.startswith("sized-") for name in names] == [True, True]


def test_a_request_whose_template_cannot_exist_fails(world: World) -> None:
    """The template is believed; the instance is not: FAILED with the reason."""
    wrong = {**gpu_template(world), "confidential_instance_config": {"confidential_instance_type": "SEV"}}
    group(world, "wrong", template(world, "wrong", wrong))
    ask(world, "wrong", "wrong-vm")
    requests = client(world, "InstanceGroupManagerResizeRequests")
    eventually(lambda: requests.get(**request_of("wrong", "wrong-vm")).state == "FAILED")
    error = requests.get(**request_of("wrong", "wrong-vm")).status.error.errors[0]
    assert "does not support" in error.message


def test_a_stockout_fails_the_operation_and_leaves_nothing(world: World) -> None:
    """Planted for one boot: the operation says so with Google's code, and there is no instance."""
    world.cloud.faults.plant(Fault("compute.instances.boot", "stockout"))
    operation = wait(world, insert(world, instance(world, "nowhere")))
    assert operation.error.errors[0].code == "ZONE_RESOURCE_POOL_EXHAUSTED"
    with pytest.raises(NotFound):
        status(world, "nowhere")


def test_a_flex_start_request_waits_while_there_is_no_room(world: World) -> None:
    """Planted twice: the cause is told meanwhile, then the request succeeds."""
    world.cloud.faults.plant(Fault("compute.resizeRequests.grant", "stockout", times=2))
    group(world, "patient", template(world, "patient", gpu_template(world)))
    ask(world, "patient", "patient-vm")
    requests = client(world, "InstanceGroupManagerResizeRequests")
    where = request_of("patient", "patient-vm")
    eventually(lambda: requests.get(**where).status.last_attempt.error.errors)
    eventually(lambda: requests.get(**where).state == "SUCCEEDED")
