"""Names and addresses of Compute: resources are kept by "projects/P/zones/Z/COLLECTION/NAME"."""

from __future__ import annotations

import re
from datetime import datetime

from localcloud.doors import Call, Json
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.formats import scalar
from localcloud.machine.catalog import ZONES
from localcloud.world.cloud import Cloud

BASE = "https://www.googleapis.com/compute/v1/"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def scope(cloud: Cloud, call: Call) -> str:
    """ "projects/P/zones/Z" or "projects/P/global" of a call; 404 unless both exist."""
    project, zone = call.params["project"], call.params.get("zone")
    if project not in (cloud.project, cloud.number):
        raise missing(f"projects/{project}")
    if zone is None:
        return f"projects/{cloud.project}/global"
    if zone not in ZONES:
        raise missing(f"projects/{project}/zones/{zone}")
    return f"projects/{cloud.project}/zones/{zone}"


def new_name(cloud: Cloud, call: Call, collection: str) -> str:
    """The full name that the body asks for; its form is checked (RFC 1035)."""
    short = call.body.get("name", "")
    check_name(short)
    return f"{scope(cloud, call)}/{collection}/{short}"


def check_name(short: str) -> None:
    """Raise 400 for a name that no resource can have (RFC 1035)."""
    if not _NAME.fullmatch(short):
        raise invalid(
            f"Invalid value for field 'resource.name': '{short}'. Must be a match of regex "
            "'(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'"
        )


def moment_of(field: str, text: str) -> float:
    """Epoch seconds of a time in a body (the documents give compute's times no format)."""
    try:
        return float(datetime.fromisoformat(scalar("string", "google-datetime", text)).timestamp())
    except ValueError as error:
        raise invalid(f"Invalid value for field 'resource.{field}': '{text}'. Expected RFC 3339.") from error


def link(name: str) -> str:
    """The address of a resource."""
    return BASE + name


def last(reference: str) -> str:
    """The short name at the end of a path or address."""
    return reference.rpartition("/")[2]


def missing(name: str) -> ApiError:
    """404 as Compute words it."""
    return ApiError(404, f"The resource '{name}' was not found")


def taken(name: str) -> ApiError:
    """409 as Compute words it."""
    return ApiError(409, f"The resource '{name}' already exists")


def found(cloud: Cloud, kind: str, name: str) -> Json:
    """The document; 404 unless it exists."""
    body = cloud.store.get(kind, name)
    if body is None:
        raise missing(name)
    return body
