"""The one way in which a version of an object comes and goes.

Rules
- Conditions are checked first (412), then permissions, then holds and retention (403).
- Replacing an object needs `storage.objects.delete` too, as Google asks, and a second since it was written.
- Generations are microseconds of the clock and grow strictly, over all buckets.
- With versioning the replaced or deleted version becomes noncurrent; without it, it is soft-deleted.
- The bucket's default key is written into the object with the key version that was used.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from localcloud.doors import Call, shown
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.kms_use import check_grant, usable_version
from localcloud.doors.storage_conditions import check_conditions
from localcloud.doors.storage_contents import hold
from localcloud.doors.storage_names import (
    LIVE,
    NONCURRENT,
    agent,
    check_object_name,
    live,
    may,
    moment,
    noncurrent_key,
    the_bucket,
)
from localcloud.doors.storage_rates import check_written
from localcloud.doors.storage_soft_delete import end
from localcloud.world.blobs import Blob
from localcloud.world.cloud import Cloud
from localcloud.world.events import ARCHIVED, DELETED, FINALIZED, announce_object

Json = dict[str, Any]

SETTABLE = frozenset(
    {
        "cacheControl",
        "contentDisposition",
        "contentEncoding",
        "contentLanguage",
        "contentType",
        "customTime",
        "eventBasedHold",
        "metadata",
        "temporaryHold",
    }
)
_REFUSED = ("retention", "contexts", "customerEncryption")


def place(
    cloud: Cloud, call: Call, bucket_name: str, settings: Json, blob: Blob, conditions: Mapping[str, Any]
) -> Json:
    """Make `blob` the live version of the object that `settings` names. Raises ApiError."""
    name = str(settings.get("name", ""))
    with cloud.store.transaction():
        bucket = the_bucket(cloud, bucket_name)
        current = live(cloud, bucket_name, name)
        check_conditions(conditions, current)
        may(cloud, call, "storage.objects.create", bucket_name, name)
        if current is not None:
            may(cloud, call, "storage.objects.delete", bucket_name, name)
            check_removable(cloud, bucket, current)
            check_written(cloud, current)
        _check_digests(settings, blob)
        new = _resource(cloud, bucket, settings, blob)
        if current is not None:
            _retire(cloud, bucket, current)
        cloud.store.put(LIVE, f"{bucket_name}/{name}", new)
        hold(cloud, blob.sha256)
        announce_object(cloud, FINALIZED, shown(new))
    return shown(new)


def check_writable(cloud: Cloud, call: Call, bucket_name: str, settings: Json) -> None:
    """Refuse what `place` would refuse in any case, before bytes are taken in."""
    the_bucket(cloud, bucket_name)
    name = str(settings.get("name", ""))
    check_object_name(name)
    for field in _REFUSED:
        if settings.get(field):
            raise ApiError(501, f"{field}: the stand-in does not imitate it")
    may(cloud, call, "storage.objects.create", bucket_name, name)


def remove(cloud: Cloud, bucket: Json, current: Json, generation: str | None) -> None:
    """Delete one version: archived when versioning is on and no generation was named, else for good."""
    check_removable(cloud, bucket, current)
    key = f"{current['bucket']}/{current['name']}"
    alive = live(cloud, current["bucket"], current["name"])
    if alive is not None and alive["generation"] == current["generation"]:
        cloud.store.delete(LIVE, key)
        _retire(cloud, bucket, current, for_good=generation is not None)
        return
    key = noncurrent_key(current["bucket"], current["name"], current["generation"])
    cloud.store.delete(NONCURRENT, key)
    end(cloud, bucket, current)
    announce_object(cloud, DELETED, shown(current))


def check_removable(cloud: Cloud, bucket: Json, current: Json) -> None:
    """403 while a hold or the bucket's retention policy keeps this version."""
    label = f"Object '{current['bucket']}/{current['name']}'"
    if current.get("temporaryHold") or current.get("eventBasedHold"):
        raise ApiError(
            403, f"{label} is under active hold and cannot be deleted, overwritten or archived.",
            reason="objectUnderActiveHold",
        )  # fmt: skip
    until = retained_until(bucket, current)
    if until is not None and cloud.clock.now() < until:
        raise ApiError(
            403,
            f"{label} is subject to bucket's retention policy and cannot be deleted, overwritten or "
            f"archived until {cloud.clock.timestamp(until)}",
            reason="retentionPolicyNotMet",
        )


def retained_until(bucket: Json, resource: Json) -> float | None:
    """Epoch seconds until which the bucket's policy keeps the object, or None."""
    policy = bucket.get("retentionPolicy")
    if policy is None:
        return None
    made = datetime.fromisoformat(resource["timeCreated"]).timestamp()
    return made + int(policy["retentionPeriod"])


def next_generation(cloud: Cloud) -> int:
    """Microseconds of the clock, and more than any generation before."""
    last = cloud.store.get("storage.generation", "last") or {"value": 0}
    value: int = max(int(cloud.clock.now() * 1_000_000), last["value"] + 1)
    cloud.store.put("storage.generation", "last", {"value": value})
    return value


def etag(generation: str, metageneration: str) -> str:
    """Changes with content and with metadata."""
    return base64.b64encode(f"{generation}/{metageneration}".encode()).decode()


def _retire(cloud: Cloud, bucket: Json, current: Json, *, for_good: bool = False) -> None:
    if bucket.get("versioning", {}).get("enabled") and not for_good:
        old = {**current, "timeDeleted": moment(cloud)}
        key = noncurrent_key(old["bucket"], old["name"], old["generation"])
        cloud.store.put(NONCURRENT, key, old)
        announce_object(cloud, ARCHIVED, shown(old))
        return
    end(cloud, bucket, current)
    announce_object(cloud, DELETED, shown(current))


def _resource(cloud: Cloud, bucket: Json, settings: Json, blob: Blob) -> Json:
    name, where = str(settings["name"]), str(bucket["name"])
    generation, now = str(next_generation(cloud)), moment(cloud)
    path = f"/b/{where}/o/{quote(name, safe='')}"
    resource: Json = {
        "kind": "storage#object",
        "id": f"{where}/{name}/{generation}",
        "selfLink": f"{cloud.endpoint}/storage/v1{path}",
        "mediaLink": f"{cloud.endpoint}/download/storage/v1{path}?generation={generation}&alt=media",
        "name": name,
        "bucket": where,
        "generation": generation,
        "metageneration": "1",
        "storageClass": settings.get("storageClass", bucket["storageClass"]),
        "size": str(blob.size),
        "crc32c": crc32c_text(blob),
        "etag": etag(generation, "1"),
        "timeCreated": now,
        "updated": now,
        "timeStorageClassUpdated": now,
        "timeFinalized": now,
        "_sha256": blob.sha256,
        **{key: settings[key] for key in SETTABLE if settings.get(key) is not None},
    }
    if "componentCount" in settings:
        resource["componentCount"] = settings["componentCount"]
    else:
        resource["md5Hash"] = md5_text(blob)
    _encrypt(cloud, bucket, settings, resource)
    until = retained_until(bucket, resource)
    if until is not None:
        resource["retentionExpirationTime"] = cloud.clock.timestamp(until)
    return resource


def _encrypt(cloud: Cloud, bucket: Json, settings: Json, resource: Json) -> None:
    encryption = bucket.get("encryption", {})
    key = settings.get("kmsKeyName") or encryption.get("defaultKmsKeyName")
    kind = "customerManaged" if key else "googleManaged"
    mode = encryption.get(f"{kind}EncryptionEnforcementConfig", {}).get("restrictionMode")
    if mode == "FullyRestricted":
        raise ApiError(
            412,
            f"{kind}EncryptionEnforcementConfig of bucket {bucket['name']} is FullyRestricted: "
            "objects encrypted this way are refused",
        )
    if key:
        check_grant(cloud, key, agent(cloud), str(bucket["location"]), "Cloud Storage")
        resource["kmsKeyName"] = usable_version(cloud, key)


def _check_digests(settings: Json, blob: Blob) -> None:
    for field, actual in (("crc32c", crc32c_text(blob)), ("md5Hash", md5_text(blob))):
        wanted = settings.get(field)
        if wanted is not None and wanted != actual:
            raise invalid(f'Provided {field} "{wanted}" doesn\'t match calculated {field} "{actual}".')


def crc32c_text(blob: Blob) -> str:
    """Base64 of the big-endian CRC32C."""
    return base64.b64encode(blob.crc32c.to_bytes(4, "big")).decode()


def md5_text(blob: Blob) -> str:
    """Base64 of the MD5 digest."""
    return base64.b64encode(bytes.fromhex(blob.md5)).decode()
