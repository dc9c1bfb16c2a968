"""Instances through the official client."""

from __future__ import annotations

import uuid

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud import compute_v1

from localcloud.world.inventory import inventory
from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import account
from tests.localcloud.machine.instances import PROJECT, SPACE, client, insert, instance, status, wait

ZONE = "us-central1-a"
PLAIN = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"


def ordinary(world: World, name: str, /, **changes: object) -> dict:
    """An instance of an ordinary image: it boots and stays up."""
    disks = [{"boot": True, "initialize_params": {"source_image": PLAIN}}]
    return instance(world, name, disks=disks, **changes)


def delete(world: World, name: str) -> None:
    wait(world, client(world, "Instances").delete_unary(project=PROJECT, zone=ZONE, instance=name))


def test_an_instance_comes_and_goes(world: World) -> None:
    """Inserted, running, found by label, deleted, gone; a second delete finds nothing."""
    operation = insert(world, ordinary(world, "comes"))
    assert wait(world, operation).status == compute_v1.Operation.Status.DONE
    got = client(world, "Instances").get(project=PROJECT, zone=ZONE, instance="comes")
    assert got.status == "RUNNING"
    assert got.id > 10**17
    assert got.confidential_instance_config.confidential_instance_type == "SEV"
    assert got.scheduling.termination_time
    names = [i.name for i in client(world, "Instances").list(request=_filter('labels.sample="comes"'))]
    assert names == ["comes"]
    assert ("compute.instance", True) in {(r["kind"], r["bills"]) for r in inventory(world.cloud)}
    delete(world, "comes")
    with pytest.raises(NotFound):
        delete(world, "comes")


def _filter(expression: str) -> dict:
    return {"project": PROJECT, "zone": ZONE, "filter": expression}


def test_a_filter_that_is_not_understood_is_refused(world: World) -> None:
    """Rather than ignored, which would list everything."""
    with pytest.raises(BadRequest, match="filter"):
        list(client(world, "Instances").list(request=_filter("labels.sample=a OR labels.sample=b")))


def test_a_taken_name_is_a_conflict_and_a_request_id_makes_it_one_call(world: World) -> None:
    """The same requestId gives the same operation; the same name without it is 409."""
    body, request_id = ordinary(world, "taken"), str(uuid.uuid4())
    first = insert(world, body, request_id=request_id)
    assert insert(world, body, request_id=request_id).name == first.name
    with pytest.raises(Conflict):
        insert(world, body)
    wait(world, first)
    delete(world, "taken")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Upper"}, "resource.name"),
        ({"machine_type": "zones/us-central1-a/machineTypes/n9-huge"}, "machineType"),
        ({"disks": []}, "resource.disks"),
        ({"network_interfaces": []}, "networkInterfaces"),
        ({"metadata": {"items": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}}, "metadata"),
    ],
)
def test_a_bad_body_is_refused_by_field(world: World, change: dict, message: str) -> None:
    """400 that names the field."""
    with pytest.raises(BadRequest, match=message):
        insert(world, instance(world, "bad", **change))


def test_an_unknown_image_or_zone_is_not_found(world: World) -> None:
    """404 with the name."""
    disks = [{"boot": True, "initialize_params": {"source_image": "projects/x/global/images/y"}}]
    with pytest.raises(NotFound, match="projects/x"):
        insert(world, instance(world, "none", disks=disks))
    with pytest.raises(NotFound, match="mars-north1-a"):
        insert(world, instance(world, "none"), zone="mars-north1-a")


def test_the_caller_needs_the_permission_and_the_right_to_act_as(world: World) -> None:
    """compute.instances.create on the project, actAs on the account that is attached."""
    account(world, "starter")
    body = instance(world, "denied")
    request = {"project": PROJECT, "zone": ZONE, "instance_resource": body}
    with pytest.raises(Forbidden, match=r"compute\.instances\.create"):
        client(world, "Instances", "starter").insert_unary(request=request)
    world.grant(f"projects/{PROJECT}", "roles/compute.instanceAdmin.v1", world.member("starter"))
    with pytest.raises(Forbidden, match=r"iam\.serviceAccounts\.actAs"):
        client(world, "Instances", "starter").insert_unary(request=request)


def test_a_stopped_instance_stays_and_keeps_no_deadline(world: World) -> None:
    """TERMINATED after stop; its run duration counts no more."""
    wait(world, insert(world, ordinary(world, "stopped")))
    operation = client(world, "Instances").stop_unary(project=PROJECT, zone=ZONE, instance="stopped")
    wait(world, operation)
    got = client(world, "Instances").get(project=PROJECT, zone=ZONE, instance="stopped")
    assert (got.status, got.scheduling.termination_time) == ("TERMINATED", "")
    delete(world, "stopped")


@pytest.mark.parametrize(
    ("scheduling", "then"),
    [
        ({"on_host_maintenance": "TERMINATE"}, "TERMINATED"),
        ({"on_host_maintenance": "MIGRATE"}, "RUNNING"),
        ({"provisioning_model": "SPOT", "on_host_maintenance": "TERMINATE"}, "TERMINATED"),
        ({"provisioning_model": "SPOT", "instance_termination_action": "DELETE",
          "on_host_maintenance": "TERMINATE"}, "gone"),
    ],
    ids=["terminates", "migrates", "Spot", "Spot with DELETE"],
)  # fmt: skip
def test_a_maintenance_of_the_host_takes_what_does_not_migrate(
    world: World, scheduling: dict[str, str], then: str
) -> None:
    """As Google simulates a preemption: stopped, or deleted where the instance says so; else untouched."""
    name = "served"
    body = ordinary(world, name, scheduling={"automatic_restart": False, **scheduling})
    wait(world, insert(world, body))
    wait(
        world,
        client(world, "Instances").simulate_maintenance_event_unary(
            project=PROJECT, zone=ZONE, instance=name
        ),
    )
    found = world.cloud.store.get("compute.instance", _full(name))
    assert ("gone" if found is None else found["status"]) == then
    if found is not None:
        delete(world, name)


def test_the_server_deletes_an_instance_at_the_end_of_its_time(world: World) -> None:
    """maxRunDuration with DELETE: when the clock has moved past it, the instance is gone."""
    wait(world, insert(world, ordinary(world, "brief")))
    world.cloud.clock.advance(3599 - 60)
    assert status(world, "brief") == "RUNNING"
    world.cloud.clock.advance(120)
    eventually(lambda: world.cloud.store.get("compute.instance", _full("brief")) is None)


def test_deletion_protection_is_respected(world: World) -> None:
    """400 as long as it is set."""
    wait(world, insert(world, ordinary(world, "kept", deletion_protection=True)))
    with pytest.raises(BadRequest, match="protected"):
        delete(world, "kept")


def _full(name: str) -> str:
    return f"projects/{PROJECT}/zones/{ZONE}/instances/{name}"


def test_public_images_tell_their_features(world: World) -> None:
    """What an image can do is told before anything is made from it."""
    image = client(world, "Images").get_from_family(
        project="confidential-space-images", family="confidential-space"
    )
    features = {feature.type_ for feature in image.guest_os_features}
    assert {"SEV_CAPABLE", "TDX_CAPABLE"} <= features
    assert "SEV_SNP_CAPABLE" not in features
    assert image.name in SPACE or image.family == "confidential-space"


def test_machine_types_belong_to_zones(world: World) -> None:
    """a3-highgpu-1g is in us-central1-a and not in us-central1-b."""
    types = client(world, "MachineTypes")
    got = types.get(project=PROJECT, zone="us-central1-a", machine_type="a3-highgpu-1g")
    assert (got.guest_cpus, got.memory_mb) == (26, 234 * 1024)
    with pytest.raises(NotFound):
        types.get(project=PROJECT, zone="us-central1-b", machine_type="a3-highgpu-1g")
