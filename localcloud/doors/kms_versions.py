"""Versions of a key: made, read, listed, disabled, destroyed in two steps, restored.

Rules
- ENABLED and DISABLED are switched by patch; nothing else is.
- `destroy` schedules (DESTROY_SCHEDULED, `destroyTime`); at that time the material is erased
  (DESTROYED).
- `restore` works only while destruction is scheduled, and lands in DISABLED.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from localcloud.doors import Call, door, shown
from localcloud.doors.errors import ApiError, failed_precondition, invalid
from localcloud.doors.kms_material import new_material
from localcloud.doors.kms_use import KEY, VERSION, existing
from localcloud.doors.paging import page
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_ROOM = "cloudkms.projects.locations.keyRings.cryptoKeys.cryptoKeyVersions"
_HSM_STATEMENT = base64.b64encode(b"SIMULATED: no hardware module made this key").decode()


def add_version(cloud: Cloud, key: str, first: bool = False) -> Json:
    """The next version of a key, ENABLED; the first one of a symmetric key becomes primary.

    `first`: the key was just made; a key of that name may have had versions before a reset.
    """
    body = existing(cloud, KEY, key)
    number = cloud.store.next_number(f"cloudkms.version/{key}")
    now, template = cloud.clock.timestamp(), body["versionTemplate"]
    version: Json = {
        "name": f"{key}/cryptoKeyVersions/{number}",
        "state": "ENABLED",
        **template,
        "createTime": now,
        "generateTime": now,
        "_material": new_material(template["algorithm"]),
    }
    if template["protectionLevel"] == "HSM":
        version["attestation"] = {"format": "CAVIUM_V2_COMPRESSED", "content": _HSM_STATEMENT}
    cloud.store.put(VERSION, version["name"], version)
    if (first or number == 1) and body["purpose"] == "ENCRYPT_DECRYPT":
        cloud.store.put(KEY, key, {**body, "_primary": version["name"]})
    return version


@door(f"{_ROOM}.create", "cloudkms.cryptoKeyVersions.create")
def create(cloud: Cloud, call: Call) -> Json:
    """Make a further version; it does not become primary."""
    return shown(add_version(cloud, call.params["parent"]))


@door(f"{_ROOM}.get", "cloudkms.cryptoKeyVersions.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One version."""
    return shown(existing(cloud, VERSION, call.params["name"]))


@door(f"{_ROOM}.list", "cloudkms.cryptoKeyVersions.list")
def list_versions(cloud: Cloud, call: Call) -> Json:
    """The versions of a key; `filter` may name a state."""
    key = call.params["parent"]
    existing(cloud, KEY, key)
    wanted = call.params.get("filter")
    found = re.fullmatch(r'\s*state\s*[=:]\s*"?([A-Z_]+)"?\s*', wanted) if wanted else None
    if wanted and found is None:
        raise ApiError(501, f"filter {wanted!r}: the stand-in only knows state=STATE")
    rows = [
        (f"{int(name.rpartition('/')[2]):09d}", shown(version))
        for name, version in cloud.store.documents(VERSION, f"{key}/cryptoKeyVersions/")
        if found is None or version["state"] == found.group(1)
    ]
    return {**page(call, "cryptoKeyVersions", sorted(rows)), "totalSize": len(rows)}


@door(f"{_ROOM}.patch", "cloudkms.cryptoKeyVersions.update")
def patch(cloud: Cloud, call: Call) -> Json:
    """Enable or disable."""
    if call.params.get("updateMask") != "state":
        raise invalid(f"updateMask: got {call.params.get('updateMask')!r}, expected state")
    version = existing(cloud, VERSION, call.params["name"])
    wanted = call.body.get("state")
    if wanted not in ("ENABLED", "DISABLED") or version["state"] not in ("ENABLED", "DISABLED"):
        raise failed_precondition(
            f"{version['name']} cannot go from state {version['state']} to {wanted} by an update."
        )
    return _put(cloud, {**version, "state": wanted})


@door(f"{_ROOM}.destroy", "cloudkms.cryptoKeyVersions.destroy")
def destroy(cloud: Cloud, call: Call) -> Json:
    """Schedule the end of a version."""
    version = existing(cloud, VERSION, call.params["name"])
    if version["state"] not in ("ENABLED", "DISABLED"):
        raise failed_precondition(
            f"{version['name']} cannot be destroyed, current state is: {version['state']}."
        )
    key = existing(cloud, KEY, version["name"].partition("/cryptoKeyVersions/")[0])
    wait = float(key["destroyScheduledDuration"].rstrip("s"))
    when = cloud.clock.timestamp(cloud.clock.now() + wait)
    cloud.beat.later(wait, "cloudkms.erase", {"name": version["name"], "due": when})
    return _put(cloud, {**version, "state": "DESTROY_SCHEDULED", "destroyTime": when})


@door(f"{_ROOM}.restore", "cloudkms.cryptoKeyVersions.restore")
def restore(cloud: Cloud, call: Call) -> Json:
    """Call a scheduled end off; the version is DISABLED afterwards."""
    version = existing(cloud, VERSION, call.params["name"])
    if version["state"] != "DESTROY_SCHEDULED":
        raise failed_precondition(
            f"{version['name']} cannot be restored, current state is: {version['state']}."
        )
    version.pop("destroyTime")
    return _put(cloud, {**version, "state": "DISABLED"})


@task("cloudkms.erase", awaited=False)
def _erase(cloud: Cloud, payload: Json) -> None:
    with cloud.store.transaction():
        version = cloud.store.get(VERSION, payload["name"])
        if version is None or version.get("destroyTime") != payload["due"]:
            return  # restored, perhaps scheduled anew, in between
        version.pop("_material")
        _put(cloud, {**version, "state": "DESTROYED", "destroyEventTime": cloud.clock.timestamp()})


def _put(cloud: Cloud, version: Json) -> Json:
    cloud.store.put(VERSION, version["name"], version)
    return shown(version)
