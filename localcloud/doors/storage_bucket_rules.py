"""What a bucket's settings must fulfil, and what Google fills in.

Rules
- A default key must lie where the bucket lies (400) and be granted to the storage agent (403).
- A retention policy starts when it is set, and excludes versioning; a locked one cannot be removed or
  shortened.
- Uniform access, public access prevention, soft delete and the class of storage have Google's defaults.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.kms_use import check_grant
from localcloud.doors.storage_names import agent, moment
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

WRITABLE = frozenset(
    {
        "autoclass",
        "cors",
        "defaultEventBasedHold",
        "encryption",
        "iamConfiguration",
        "labels",
        "lifecycle",
        "logging",
        "retentionPolicy",
        "softDeletePolicy",
        "storageClass",
        "versioning",
        "website",
    }
)
_MULTI_REGIONS = {"US", "EU", "ASIA"}
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_SOFT_DELETE_S = 604_800


def complete(cloud: Cloud, bucket: Json) -> Json:
    """The settings with Google's defaults, checked. Raises ApiError naming the field."""
    bucket.setdefault("storageClass", "STANDARD")
    _labels(bucket.get("labels", {}))
    _access(bucket)
    _soft_delete(cloud, bucket)
    if bucket.get("retentionPolicy") and bucket.get("versioning", {}).get("enabled"):
        raise invalid(
            "versioning, retentionPolicy: object versioning and a retention policy exclude each other."
        )
    key = bucket.get("encryption", {}).get("defaultKmsKeyName")
    if key:
        check_grant(cloud, key, agent(cloud), str(bucket["location"]), "Cloud Storage")
    return bucket


def location_type(location: str) -> str:
    """Region, multi-region or dual-region, by the form of the name."""
    if location in _MULTI_REGIONS:
        return "multi-region"
    return "region" if "-" in location else "dual-region"


def retention(cloud: Cloud, old: Json, new: Json) -> None:
    """Check a change of the retention policy and note when it took effect."""
    before, after = old.get("retentionPolicy"), new.get("retentionPolicy")
    if before == after:
        return
    if after is not None and "retentionPeriod" not in after:
        raise invalid("retentionPolicy.retentionPeriod: got nothing, expected seconds > 0")
    if before is not None and before.get("isLocked"):
        shorter = after is None or int(after["retentionPeriod"]) < int(before["retentionPeriod"])
        if shorter:
            raise ApiError(403, "Cannot remove or reduce a locked retention policy.")
    if after is not None:
        if not 0 < int(after["retentionPeriod"]) < 3_155_760_000:
            raise invalid("retentionPolicy.retentionPeriod must be > 0 and less than 100 years.")
        after["retentionPeriod"] = str(after["retentionPeriod"])
        if before is None or before["retentionPeriod"] != after["retentionPeriod"]:
            after["effectiveTime"] = moment(cloud)


def _labels(labels: Json) -> None:
    if len(labels) > 64:
        raise invalid(f"labels: got {len(labels)}, expected at most 64")
    for key, value in labels.items():
        if not key or not _LABEL.fullmatch(key) or not _LABEL.fullmatch(str(value)):
            raise invalid(f"labels.{key}: keys and values are lower case letters, digits, - and _ (63)")


def _access(bucket: Json) -> None:
    access = bucket.setdefault("iamConfiguration", {})
    access.setdefault("publicAccessPrevention", "inherited")
    if access["publicAccessPrevention"] not in ("inherited", "enforced"):
        raise invalid("iamConfiguration.publicAccessPrevention: expected inherited or enforced")
    access.setdefault("uniformBucketLevelAccess", {"enabled": False})


def _soft_delete(cloud: Cloud, bucket: Json) -> None:
    policy = bucket.setdefault("softDeletePolicy", {})
    seconds = int(policy.setdefault("retentionDurationSeconds", str(_SOFT_DELETE_S)))
    if seconds and not _SOFT_DELETE_S <= seconds <= 90 * 86_400:
        raise invalid(f"softDeletePolicy.retentionDurationSeconds: got {seconds}, expected 0 or 7 to 90 days")
    policy["retentionDurationSeconds"] = str(seconds)
    policy.setdefault("effectiveTime", moment(cloud))
