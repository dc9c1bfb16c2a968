"""Buckets and objects by name, and who may touch them.

Rules
- Bucket names share one world-wide room: a bucket that does not exist is 404 for everybody.
- A permission is looked up on "projects/_/buckets/B" or "projects/_/buckets/B/objects/NAME".
- Who may not list a bucket learns nothing about which objects are missing: 403 instead of 404.
- Object names: 1 to 1,024 bytes of UTF-8, no CR or LF, not "." or "..".
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Call, require
from localcloud.doors.errors import ApiError, invalid
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

BUCKET = "storage.bucket"
LIVE = "storage.object"  # name: bucket/object
NONCURRENT = "storage.noncurrent"  # name: bucket/object#generation, 20 digits
SOFT_DELETED = "storage.softDeleted"  # named likewise

_BUCKET_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{1,61})[a-z0-9]")


def bucket_resource(bucket: str) -> str:
    """The name that IAM knows the bucket by."""
    return f"projects/_/buckets/{bucket}"


def object_resource(bucket: str, name: str) -> str:
    """The name that IAM knows the object by."""
    return f"projects/_/buckets/{bucket}/objects/{name}"


def agent(cloud: Cloud) -> str:
    """The e-mail address under which Cloud Storage uses keys."""
    return f"service-{cloud.number}@gs-project-accounts.iam.gserviceaccount.com"


def the_bucket(cloud: Cloud, name: str) -> Json:
    """The bucket, or 404."""
    found = cloud.store.get(BUCKET, name)
    if found is None:
        raise ApiError(404, "The specified bucket does not exist.")
    return found


def bucket_for(cloud: Cloud, call: Call, permission: str) -> Json:
    """The bucket that the path names, if the caller holds `permission` on it."""
    found = the_bucket(cloud, call.params["bucket"])
    require(cloud, call, permission, bucket_resource(found["name"]))
    return found


def may(cloud: Cloud, call: Call, permission: str, bucket: str, name: str) -> None:
    """403 unless the caller holds `permission` on the object (existing or not)."""
    require(cloud, call, permission, object_resource(bucket, name))


def live(cloud: Cloud, bucket: str, name: str) -> Json | None:
    """The live version of an object, or None."""
    return cloud.store.get(LIVE, f"{bucket}/{name}")


def version(cloud: Cloud, bucket: str, name: str, generation: str | None) -> Json | None:
    """One version of an object: the live one, or the one with that generation."""
    current = live(cloud, bucket, name)
    if generation is None or (current is not None and current["generation"] == generation):
        return current
    return cloud.store.get(NONCURRENT, noncurrent_key(bucket, name, generation))


def noncurrent_key(bucket: str, name: str, generation: str) -> str:
    """The document name of a noncurrent version; versions of one object sort by age."""
    return f"{bucket}/{name}#{int(generation):020d}"


def no_object(cloud: Cloud, call: Call, bucket: str, name: str) -> ApiError:
    """404, or 403 for who may not list the bucket."""
    if not cloud.iam.allowed(call.caller, "storage.objects.list", bucket_resource(bucket)):
        who = call.caller.email or call.caller.principal
        return ApiError(
            403,
            f"{who} does not have storage.objects.list access to the Google Cloud Storage bucket. "
            "Permission 'storage.objects.list' denied on resource (or it may not exist).",
        )
    return ApiError(404, f"No such object: {bucket}/{name}")


def check_bucket_name(name: str) -> None:
    """Raise 400 for a name that no bucket can have."""
    if not _BUCKET_NAME.fullmatch(name) or name.startswith("goog") or "google" in name or ".." in name:
        raise invalid(f"Invalid bucket name: '{name}'")


def check_object_name(name: str) -> None:
    """Raise 400 for a name that no object can have."""
    size = len(name.encode())
    if not 1 <= size <= 1024:
        raise invalid(f"The object name must be 1 to 1024 bytes of UTF-8, got {size}.")
    if "\r" in name or "\n" in name or name in (".", ".."):
        raise invalid(f"Disallowed object name: {name!r}")


def merged(old: Json, patch: Json) -> Json:
    """JSON merge as the storage API patches: null removes, objects merge, lists are replaced."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[key] = value
    return result


def moment(cloud: Cloud) -> str:
    """Now, in milliseconds as the storage API writes it."""
    return cloud.clock.timestamp()[:23] + "Z"
