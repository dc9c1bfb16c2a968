"""Soft delete: what was deleted or replaced stays for the bucket's `softDeletePolicy`, and can come back.

Rules (the soft-delete pages of Cloud Storage)
- A version that goes for good is kept until `hardDeleteTime`; with a duration of 0 it is gone at once.
- It is listed with `softDeleted`, read (not downloaded) with `softDeleted` and its generation.
- A restore makes a new live object of the old bytes; the soft-deleted one stays where it is.
- Deleting the bucket ends it: buckets brought back are not imitated.
"""

from __future__ import annotations

from typing import Any

from localcloud.doors.storage_contents import let_go
from localcloud.doors.storage_names import SOFT_DELETED, noncurrent_key
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud

Json = dict[str, Any]


def end(cloud: Cloud, bucket: Json, resource: Json) -> None:
    """A version has left its bucket: keep it for a while, or let its bytes go."""
    seconds = int(bucket["softDeletePolicy"]["retentionDurationSeconds"])
    if seconds == 0:
        let_go(cloud, resource["_sha256"])
        return
    now, key = cloud.clock.now(), key_of(resource)
    times = {
        "softDeleteTime": cloud.clock.timestamp(now),
        "hardDeleteTime": cloud.clock.timestamp(now + seconds),
    }
    cloud.store.put(SOFT_DELETED, key, {**resource, **times})
    cloud.beat.later(seconds, "storage.hard_delete", {"key": key})


def soft_deleted(cloud: Cloud, bucket: str, name: str, generation: str) -> Json | None:
    """A soft-deleted version, or None."""
    return cloud.store.get(SOFT_DELETED, noncurrent_key(bucket, name, generation))


def end_all(cloud: Cloud, bucket: str) -> None:
    """The bucket is deleted."""
    for key, _ in cloud.store.documents(SOFT_DELETED, f"{bucket}/"):
        _hard_delete(cloud, {"key": key})


def key_of(resource: Json) -> str:
    """The document name of a version."""
    return noncurrent_key(resource["bucket"], resource["name"], resource["generation"])


@task("storage.hard_delete")
def _hard_delete(cloud: Cloud, payload: Json) -> None:
    with cloud.store.transaction():
        resource = cloud.store.get(SOFT_DELETED, payload["key"])
        if resource is not None:
            cloud.store.delete(SOFT_DELETED, payload["key"])
            let_go(cloud, resource["_sha256"])
