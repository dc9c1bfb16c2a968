"""How fast buckets and objects may be written; faster is 429, as Google says it.

One bucket per two seconds in a project, one write per second to an object of one name (the quotas page; both
are stated as rates, here without a burst). The wording of both messages is Google's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from localcloud.doors.errors import ApiError
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_LAST = "storage.lastBucket"
BETWEEN_BUCKETS_S, BETWEEN_WRITES_S = 2.0, 1.0


def bucket_made(cloud: Cloud) -> None:
    """Note that a bucket is made now. Raises 429 if the one before was made too short a time ago."""
    now = cloud.clock.now()
    last = cloud.store.get(_LAST, "at")
    if last is not None and now - last["seconds"] < BETWEEN_BUCKETS_S:
        raise _too_fast("The project exceeded the rate limit for creating and deleting buckets.")
    cloud.store.put(_LAST, "at", {"seconds": now})


def check_written(cloud: Cloud, current: Json) -> None:
    """Raise 429 if the object was written too short a time ago."""
    last = datetime.fromisoformat(current["updated"]).timestamp()
    if cloud.clock.now() - last < BETWEEN_WRITES_S:
        raise _too_fast(
            f"The object {current['bucket']}/{current['name']} exceeded the rate limit for object mutation "
            "operations (create, update, and delete). Please reduce your request rate. "
            "See https://cloud.google.com/storage/docs/gcs429."
        )


def _too_fast(message: str) -> ApiError:
    return ApiError(429, message, reason="rateLimitExceeded")
