"""Instances: insert, get, list, delete, stop, serial port."""

from __future__ import annotations

from typing import Any

from localcloud.doors import Call, Json, door, project, require, shown
from localcloud.doors.compute_access import check_disk_keys, require_for
from localcloud.doors.compute_filter import by_zone, listed
from localcloud.doors.compute_life import KIND, add, leave, new_instance, preempt
from localcloud.doors.compute_names import (
    found,
    last,
    link,
    missing,
    moment_of,
    new_name,
    scope,
    taken,
)
from localcloud.doors.compute_operations import begin, finish, name_of, once
from localcloud.doors.compute_reservations import claim
from localcloud.doors.errors import failed_precondition, invalid
from localcloud.machine.boot import folder_of
from localcloud.machine.catalog import SHAPES, find_image
from localcloud.machine.rules import RuleError, check_instance
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory_source

_METADATA_VALUE, _METADATA_ALL = 256 << 10, 512 << 10


@door("compute.instances.insert", "compute.instances.create", project)
@once
def insert(cloud: Cloud, call: Call) -> Json:
    """Start a new instance."""
    name = new_name(cloud, call, "instances")
    body = checked(cloud, scope(cloud, call), _with_template(cloud, call))
    require_for(cloud, call, body)
    if cloud.store.get(KIND, name) is not None:
        raise taken(name)
    instance = new_instance(cloud, name, body)
    operation = begin(cloud, call, "insert", name, instance["id"])
    add(cloud, name, instance, name_of(operation))
    return operation


def checked(cloud: Cloud, place: str, body: Json) -> Json:
    """`body` if an instance like it can exist in `place` ("projects/P/zones/Z"). Raises 400 or 404."""
    shape = SHAPES.get(last(body.get("machineType", "")))
    if shape is None:
        got = body.get("machineType", "")
        raise invalid(f"Invalid value for field 'resource.machineType': '{got}'. It does not exist.")
    boot_disks = [disk for disk in body.get("disks", []) if disk.get("boot")]
    if len(boot_disks) != 1:
        raise invalid("Invalid value for field 'resource.disks': exactly one boot disk must be specified.")
    source = (boot_disks[0].get("initializeParams") or {}).get("sourceImage", "")
    image = find_image(source)
    if image is None:
        raise missing(source)
    size = int((boot_disks[0].get("initializeParams") or {}).get("diskSizeGb") or image.disk_gb)
    if size < image.disk_gb:
        raise invalid(f"Requested disk size cannot be smaller than the image size ({image.disk_gb} GB).")
    if not body.get("networkInterfaces"):
        raise invalid("Invalid value for field 'resource.networkInterfaces': at least one is required.")
    _check_metadata(body)
    check_disk_keys(cloud, last(place), body)
    end = (body.get("scheduling") or {}).get("terminationTime")
    if end and moment_of("scheduling.terminationTime", end) <= cloud.clock.now():
        raise invalid(
            f"Invalid value for field 'resource.scheduling.terminationTime': '{end}' is in the past."
        )
    try:
        check_instance(body, shape, last(place), image, size)
    except RuleError as error:
        raise invalid(str(error)) from error
    cpu = {"cpuPlatform": body.get("minCpuPlatform") or shape.cpu}
    return {**body, **cpu, "_image": image.path, "_reservation": claim(cloud, place, body)}


def _check_metadata(body: Json) -> None:
    items = (body.get("metadata") or {}).get("items", [])
    keys = [item.get("key", "") for item in items]
    if len(set(keys)) != len(keys) or "" in keys:
        raise invalid("Invalid value for field 'resource.metadata.items': keys must be given and differ.")
    sizes = [len(str(item.get("value", "")).encode()) for item in items]
    if any(size > _METADATA_VALUE for size in sizes) or sum(sizes) > _METADATA_ALL:
        raise invalid("Invalid value for field 'resource.metadata': a value or all of them are too large.")


def _with_template(cloud: Cloud, call: Call) -> Json:
    reference = call.params.get("sourceInstanceTemplate")
    if not reference:
        return call.body
    require(cloud, call, "compute.instanceTemplates.useReadOnly", f"projects/{cloud.project}")
    name = "projects/" + reference.partition("projects/")[2]
    template = found(cloud, "compute.instanceTemplate", name)
    merged: dict[str, Any] = {**template["properties"], **call.body}
    return merged


@door("compute.instances.get", "compute.instances.get", project)
def get(cloud: Cloud, call: Call) -> Json:
    """One instance."""
    return shown(found(cloud, KIND, _name(cloud, call)))


@door("compute.instances.list", "compute.instances.list", project)
def list_(cloud: Cloud, call: Call) -> Json:
    """The instances of a zone."""
    place = scope(cloud, call)
    return listed(call, place, "instance", cloud.store.documents(KIND, place + "/"))


@door("compute.instances.aggregatedList", "compute.instances.list", project)
def aggregated(cloud: Cloud, call: Call) -> Json:
    """The instances of all zones, by zone."""
    place = scope(cloud, call).removesuffix("/global")
    return by_zone(call, "instance", "instances", cloud.store.documents(KIND, place + "/zones/"), place)


@door("compute.instances.delete", "compute.instances.delete", project)
@once
def delete(cloud: Cloud, call: Call) -> Json:
    """Stop it and remove it."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    if body.get("deletionProtection"):
        raise failed_precondition(f"Resource cannot be deleted if it's protected against deletion: {name}")
    operation = begin(cloud, call, "delete", name, body["id"])
    leave(cloud, name, body, "delete", name_of(operation))
    return operation


@door("compute.instances.stop", "compute.instances.stop", project)
@once
def stop(cloud: Cloud, call: Call) -> Json:
    """Stop it; it stays. Instances of a group that came by a resize request cannot be stopped."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    if body.get("_group") and body["scheduling"]["provisioningModel"] == "FLEX_START":
        raise invalid("Flex-start instances of a managed instance group cannot be stopped.")
    operation = begin(cloud, call, "stop", name, body["id"])
    if body["status"] == "RUNNING":
        leave(cloud, name, body, "stop", name_of(operation))
    else:
        payload = {"name": name, "id": body["id"], "operation": name_of(operation)}
        cloud.beat.later(0, "instance.stop", payload)
    return operation


@door("compute.instances.simulateMaintenanceEvent", "compute.instances.simulateMaintenanceEvent", project)
@once
def simulate_maintenance(cloud: Cloud, call: Call) -> Json:
    """What a host's maintenance does to it: a Spot instance, or one that does not migrate, is stopped."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    if body["status"] != "RUNNING":
        raise failed_precondition(f"Instance {name} is {body['status']}, expected RUNNING.")
    operation = begin(cloud, call, "simulateMaintenanceEvent", name, body["id"])
    if not preempt(cloud, name, body, name_of(operation)):
        finish(cloud, name_of(operation))
    return operation


@door("compute.instances.getSerialPortOutput", "compute.instances.getSerialPortOutput", project)
def serial_port(cloud: Cloud, call: Call) -> Json:
    """What the machine wrote to its console, from `start` on."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    file = folder_of(cloud, body["id"]) / "serial.txt"
    content = file.read_bytes() if file.exists() else b""
    start = min(int(call.params.get("start", 0)), len(content))
    return {
        "kind": "compute#serialPortOutput",
        "contents": content[start:].decode(errors="replace"),
        "start": str(start),
        "next": str(len(content)),
        "selfLink": link(f"{name}/serialPort"),
    }


def _name(cloud: Cloud, call: Call) -> str:
    """By name or by id, as Google takes it."""
    place, given = scope(cloud, call), call.params["instance"]
    if given.isdigit():
        for name, body in cloud.store.documents(KIND, place + "/"):
            if body["id"] == given:
                return name
    return f"{place}/instances/{given}"


def _listed(cloud: Cloud) -> list[Json]:
    return [
        {"name": name, "labels": i.get("labels", {}), "bills": True, "created": i["creationTimestamp"]}
        for name, i in cloud.store.documents(KIND)
    ]


inventory_source(KIND, _listed)
