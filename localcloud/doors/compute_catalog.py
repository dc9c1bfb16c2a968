"""What Compute offers: machine types, zones, public images."""

from __future__ import annotations

import zlib

from localcloud.doors import Call, Json, door, project
from localcloud.doors.compute_filter import listed
from localcloud.doors.compute_names import link, missing, scope
from localcloud.machine.catalog import SHAPES, ZONES, Image, find_image
from localcloud.world.cloud import Cloud

_SINCE = "2026-11-01T00:00:00.000-07:00"


@door("compute.machineTypes.get", "compute.machineTypes.get", project)
def machine_type(cloud: Cloud, call: Call) -> Json:
    """One machine type in one zone."""
    place, short = scope(cloud, call), call.params["machineType"]
    name = f"{place}/machineTypes/{short}"
    shape = SHAPES.get(short)
    if shape is None or not shape.offered_in(call.params["zone"]):
        raise missing(name)
    answer: Json = {
        "kind": "compute#machineType",
        "id": _id(name),
        "name": short,
        "guestCpus": shape.vcpus,
        "memoryMb": shape.memory_mib,
        "zone": call.params["zone"],
        "selfLink": link(name),
    }
    if shape.accelerator:
        kind, count = shape.accelerator
        answer["accelerators"] = [{"guestAcceleratorType": kind, "guestAcceleratorCount": count}]
    return answer


@door("compute.zones.get", "compute.zones.get", project)
def zone(cloud: Cloud, call: Call) -> Json:
    """One zone."""
    return _zone(cloud, scope(cloud, call).rpartition("/")[2])


@door("compute.zones.list", "compute.zones.list", project)
def zones(cloud: Cloud, call: Call) -> Json:
    """The zones that the filter wants."""
    rows = [(short, _zone(cloud, short)) for short in sorted(ZONES)]
    return listed(call, f"{scope(cloud, call)}/zones", "zone", rows)


@door("compute.images.getFromFamily", None)
def image_of_family(cloud: Cloud, call: Call) -> Json:
    """The newest image of a public family. Public images may be read by all."""
    return _image(f"projects/{call.params['project']}/global/images/family/{call.params['family']}")


@door("compute.images.get", None)
def image(cloud: Cloud, call: Call) -> Json:
    """One public image."""
    return _image(f"projects/{call.params['project']}/global/images/{call.params['image']}")


def _image(reference: str) -> Json:
    found: Image | None = find_image(reference)
    if found is None:
        raise missing(reference)
    return {
        "kind": "compute#image",
        "id": _id(found.path),
        "name": found.name,
        "family": found.family,
        "creationTimestamp": _SINCE,
        "status": "READY",
        "diskSizeGb": str(found.disk_gb),
        "architecture": "X86_64",
        "guestOsFeatures": [{"type": feature} for feature in found.features],
        "selfLink": link(found.path),
    }


def _zone(cloud: Cloud, short: str) -> Json:
    name = f"projects/{cloud.project}/zones/{short}"
    return {
        "kind": "compute#zone",
        "id": _id(name),
        "name": short,
        "region": link(f"projects/{cloud.project}/regions/{ZONES[short]}"),
        "status": "UP",
        "selfLink": link(name),
    }


def _id(name: str) -> str:
    """A stable number for what has no document of its own."""
    return str(10**15 + zlib.crc32(name.encode()))
