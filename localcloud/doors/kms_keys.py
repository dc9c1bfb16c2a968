"""Key rings and keys: made, read, listed, changed.

Rules
- `purpose` is required; ENCRYPT_DECRYPT implies its algorithm, ASYMMETRIC_SIGN must name one.
- `destroyScheduledDuration` is 24 h to 120 days, 30 days if not given, and never changes; nor does
  `purpose`.
- The name of a deleted key stays reserved (kms_deletion).
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Call, door, shown
from localcloud.doors.errors import ApiError, already_exists, invalid
from localcloud.doors.kms_material import SIGNATURE, SYMMETRIC
from localcloud.doors.kms_rotation import DAY_S, check_rotation, duration_s, plan_rotation
from localcloud.doors.kms_use import KEY, RETIRED, RING, VERSION, existing
from localcloud.doors.kms_versions import add_version
from localcloud.doors.paging import page
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory_source, plain_source

Json = dict[str, Any]

_ID = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_ALGORITHM = {"ENCRYPT_DECRYPT": SYMMETRIC, "ASYMMETRIC_SIGN": SIGNATURE}
_CHANGEABLE = ("labels", "nextRotationTime", "rotationPeriod", "versionTemplate")
_ROOM = "cloudkms.projects.locations.keyRings"


@door(f"{_ROOM}.create", "cloudkms.keyRings.create")
def create_ring(cloud: Cloud, call: Call) -> Json:
    """Make a key ring."""
    name = f"{call.params['parent']}/keyRings/{_checked_id(call, 'keyRingId')}"
    if not cloud.store.create(RING, name, {"name": name, "createTime": cloud.clock.timestamp()}):
        raise already_exists(f"KeyRing {name}")
    return existing(cloud, RING, name)


@door(f"{_ROOM}.get", "cloudkms.keyRings.get")
def get_ring(cloud: Cloud, call: Call) -> Json:
    """One key ring."""
    return existing(cloud, RING, call.params["name"])


@door(f"{_ROOM}.list", "cloudkms.keyRings.list")
def list_rings(cloud: Cloud, call: Call) -> Json:
    """The key rings of a location."""
    return page(call, "keyRings", cloud.store.documents(RING, f"{call.params['parent']}/keyRings/"))


@door(f"{_ROOM}.cryptoKeys.create", "cloudkms.cryptoKeys.create")
def create_key(cloud: Cloud, call: Call) -> Json:
    """Make a key and its first version."""
    ring, body = call.params["parent"], call.body
    existing(cloud, RING, ring)
    name = f"{ring}/cryptoKeys/{_checked_id(call, 'cryptoKeyId')}"
    purpose = body.get("purpose", "CRYPTO_KEY_PURPOSE_UNSPECIFIED")
    if purpose == "CRYPTO_KEY_PURPOSE_UNSPECIFIED":
        raise invalid("purpose: required")
    if purpose not in _ALGORITHM:
        raise ApiError(501, f"purpose {purpose}: the stand-in does not imitate it")
    key: Json = {
        "name": name,
        "purpose": purpose,
        "createTime": cloud.clock.timestamp(),
        "versionTemplate": _template(purpose, body.get("versionTemplate", {})),
        "destroyScheduledDuration": _destroy_after(body),
        **{field: body[field] for field in ("labels", "rotationPeriod", "nextRotationTime") if field in body},
    }
    check_rotation(cloud, key)
    if cloud.store.get(RETIRED, name) is not None:
        raise ApiError(409, f"CryptoKey {name} was deleted: its name stays reserved.")
    if not cloud.store.create(KEY, name, key):
        raise already_exists(f"CryptoKey {name}")
    if not call.params.get("skipInitialVersionCreation"):
        add_version(cloud, name, first=True)
    plan_rotation(cloud, key)
    return public_key(cloud, name)


@door(f"{_ROOM}.cryptoKeys.get", "cloudkms.cryptoKeys.get")
def get_key(cloud: Cloud, call: Call) -> Json:
    """One key."""
    return public_key(cloud, call.params["name"])


@door(f"{_ROOM}.cryptoKeys.list", "cloudkms.cryptoKeys.list")
def list_keys(cloud: Cloud, call: Call) -> Json:
    """The keys of a ring."""
    ring = call.params["parent"]
    existing(cloud, RING, ring)
    names = [name for name, _ in cloud.store.documents(KEY, f"{ring}/cryptoKeys/")]
    return page(call, "cryptoKeys", [(name, public_key(cloud, name)) for name in names])


@door(f"{_ROOM}.cryptoKeys.patch", "cloudkms.cryptoKeys.update")
def patch_key(cloud: Cloud, call: Call) -> Json:
    """Change what `updateMask` names."""
    name = call.params["name"]
    key = existing(cloud, KEY, name)
    for path in mask(call):
        field = path.split(".")[0]
        if field not in _CHANGEABLE:
            raise invalid(f"updateMask: {path} cannot be changed; expected some of {_CHANGEABLE}")
        if field in call.body:
            key[field] = call.body[field]
        else:
            key.pop(field, None)
    key["versionTemplate"] = _template(key["purpose"], key.get("versionTemplate", {}))
    check_rotation(cloud, key)
    cloud.store.put(KEY, name, key)
    plan_rotation(cloud, key)
    return public_key(cloud, name)


@door(f"{_ROOM}.cryptoKeys.updatePrimaryVersion", "cloudkms.cryptoKeys.update")
def update_primary(cloud: Cloud, call: Call) -> Json:
    """Let another version encrypt from now on."""
    name = call.params["name"]
    version = f"{name}/cryptoKeyVersions/{call.body.get('cryptoKeyVersionId', '')}"
    existing(cloud, VERSION, version)
    cloud.store.put(KEY, name, {**existing(cloud, KEY, name), "_primary": version})
    return public_key(cloud, name)


def public_key(cloud: Cloud, name: str) -> Json:
    """The key as Google shows it, with its primary version."""
    key = existing(cloud, KEY, name)
    primary = {"primary": shown(existing(cloud, VERSION, key["_primary"]))} if "_primary" in key else {}
    return {**shown(key), **primary}


def mask(call: Call) -> list[str]:
    """The paths of `updateMask`. Raises 400 if there are none."""
    paths = [path for path in str(call.params.get("updateMask", "")).split(",") if path]
    if not paths:
        raise invalid("updateMask: required")
    return [re.sub(r"_([a-z])", lambda found: found.group(1).upper(), path) for path in paths]


def _checked_id(call: Call, field: str) -> str:
    text = str(call.params.get(field, ""))
    if not _ID.fullmatch(text):
        raise invalid(f"{field}: got {text!r}, expected {_ID.pattern}")
    return text


def _template(purpose: str, given: Json) -> Json:
    algorithm = given.get("algorithm") or (SYMMETRIC if purpose == "ENCRYPT_DECRYPT" else None)
    if algorithm is None:
        raise invalid(f"versionTemplate.algorithm: required for purpose {purpose}")
    if algorithm != _ALGORITHM[purpose]:
        raise ApiError(501, f"algorithm {algorithm} for {purpose}: the stand-in does not imitate it")
    level = given.get("protectionLevel", "SOFTWARE")
    if level not in ("SOFTWARE", "HSM"):
        raise ApiError(501, f"protectionLevel {level}: the stand-in does not imitate it")
    return {"protectionLevel": level, "algorithm": algorithm}


def _destroy_after(body: Json) -> str:
    text = str(body.get("destroyScheduledDuration", f"{30 * DAY_S}s"))
    if not DAY_S <= duration_s(text) <= 120 * DAY_S:
        raise invalid(f"destroyScheduledDuration: got {text}, expected 24 hours to 120 days")
    return text


def _inventory(cloud: Cloud) -> list[Json]:
    labels = {name: key.get("labels", {}) for name, key in cloud.store.documents(KEY)}
    return [
        {
            "name": name,
            "labels": labels[name.partition("/cryptoKeyVersions/")[0]],
            "bills": version["state"] in ("ENABLED", "DISABLED"),
            "created": version["createTime"],
        }
        for name, version in cloud.store.documents(VERSION)
        if version["state"] != "DESTROYED"
    ]


inventory_source("cloudkms.cryptoKeyVersion", _inventory)
plain_source(RING)
plain_source(KEY)
