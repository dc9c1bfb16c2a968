"""The last step: versions, keys and rings deleted for good, in that order. Key names stay reserved.

Rules (Google's page on deleting Cloud KMS resources)
- A version must be DESTROYED; a key must have no versions left and no rotation planned; a ring no keys.
- A deleted key leaves a RetiredResource: no key of that name is ever made again, even in a ring made anew.
- The operation is done when the call returns.
"""

from __future__ import annotations

import uuid
from typing import Any

from localcloud.doors import Call, door
from localcloud.doors.errors import failed_precondition, not_found
from localcloud.doors.kms_use import KEY, RETIRED, RING, VERSION, existing
from localcloud.doors.paging import page
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_ROOM = "cloudkms.projects.locations"
_EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}


@door(f"{_ROOM}.keyRings.cryptoKeys.cryptoKeyVersions.delete", "cloudkms.cryptoKeyVersions.delete")
def delete_version(cloud: Cloud, call: Call) -> Json:
    """Forget a destroyed version."""
    version = existing(cloud, VERSION, call.params["name"])
    if version["state"] != "DESTROYED":
        raise failed_precondition(
            f"{version['name']} cannot be deleted, current state is: {version['state']}; expected DESTROYED."
        )
    cloud.store.delete(VERSION, version["name"])
    key = existing(cloud, KEY, version["name"].partition("/cryptoKeyVersions/")[0])
    if key.get("_primary") == version["name"]:
        key.pop("_primary")
        cloud.store.put(KEY, key["name"], key)
    return _done(call)


@door(f"{_ROOM}.keyRings.cryptoKeys.delete", "cloudkms.cryptoKeys.delete")
def delete_key(cloud: Cloud, call: Call) -> Json:
    """Delete a key without versions; its name stays reserved."""
    name = existing(cloud, KEY, call.params["name"])["name"]
    left = cloud.store.documents(VERSION, f"{name}/cryptoKeyVersions/")
    if left:
        raise failed_precondition(f"{name} cannot be deleted: it still has {len(left)} CryptoKeyVersion(s).")
    if "nextRotationTime" in existing(cloud, KEY, name):
        raise failed_precondition(f"{name} cannot be deleted: its rotation is still scheduled.")
    cloud.store.delete(KEY, name)
    cloud.store.delete("iam.policy", name)
    retired = {
        "name": f"{name.partition('/keyRings/')[0]}/retiredResources/{uuid.uuid4()}",
        "originalResource": name,
        "resourceType": "cloudkms.googleapis.com/CryptoKey",
        "deleteTime": cloud.clock.timestamp(),
    }
    cloud.store.put(RETIRED, name, retired)
    return _done(call)


@door(f"{_ROOM}.keyRings.delete", "cloudkms.keyRings.delete")
def delete_ring(cloud: Cloud, call: Call) -> Json:
    """Delete a ring without keys."""
    name = existing(cloud, RING, call.params["name"])["name"]
    left = cloud.store.documents(KEY, f"{name}/cryptoKeys/")
    if left:
        raise failed_precondition(f"{name} cannot be deleted: it still has {len(left)} CryptoKey(s).")
    cloud.store.delete(RING, name)
    cloud.store.delete("iam.policy", name)
    return _done(call)


@door(f"{_ROOM}.retiredResources.list", "cloudkms.retiredResources.list")
def list_retired(cloud: Cloud, call: Call) -> Json:
    """What was deleted and stays reserved."""
    rows = cloud.store.documents(RETIRED, f"{call.params['parent']}/keyRings/")
    answer = page(call, "retiredResources", sorted((body["name"], body) for _, body in rows))
    return {**answer, "totalSize": str(len(rows))}


@door(f"{_ROOM}.retiredResources.get", "cloudkms.retiredResources.get")
def get_retired(cloud: Cloud, call: Call) -> Json:
    """One of them."""
    for _, body in cloud.store.documents(RETIRED):
        if body["name"] == call.params["name"]:
            return body
    raise not_found(f"RetiredResource {call.params['name']}")


def _done(call: Call) -> Json:
    location = str(call.params["name"]).partition("/keyRings/")[0]
    return {"name": f"{location}/operations/{uuid.uuid4()}", "done": True, "response": _EMPTY}
