"""Rotation: at the due moment a key gets a new primary version.

Rules
- `rotationPeriod` (24 h to 876,000 h) needs `nextRotationTime`, which lies in the future.
- Only keys of purpose ENCRYPT_DECRYPT rotate.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from localcloud.doors.errors import invalid
from localcloud.doors.kms_use import KEY
from localcloud.doors.kms_versions import add_version
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

DAY_S = 86_400


def duration_s(text: str) -> float:
    """Seconds of a protobuf duration ("2592000s")."""
    return float(text[:-1])


def check_rotation(cloud: Cloud, key: Json) -> None:
    """Raise 400 for rotation fields that do not go together."""
    period, following = key.get("rotationPeriod"), key.get("nextRotationTime")
    if period is None and following is None:
        return
    if key["purpose"] != "ENCRYPT_DECRYPT":
        raise invalid("rotationPeriod and nextRotationTime: only keys of purpose ENCRYPT_DECRYPT rotate")
    if period is not None:
        if following is None:
            raise invalid("nextRotationTime: must be set when rotationPeriod is set")
        if not DAY_S <= duration_s(period) <= 876_000 * 3600:
            raise invalid(f"rotationPeriod: got {period}, expected 24 h to 876,000 h")
    if datetime.fromisoformat(str(following)).timestamp() <= cloud.clock.now():
        raise invalid(f"nextRotationTime: got {following}, which is in the past")


def plan_rotation(cloud: Cloud, key: Json) -> None:
    """Remember the next rotation, if there is to be one."""
    if "nextRotationTime" in key:
        wait = datetime.fromisoformat(key["nextRotationTime"]).timestamp() - cloud.clock.now()
        cloud.beat.later(wait, "cloudkms.rotate", {"key": key["name"], "due": key["nextRotationTime"]})


@task("cloudkms.rotate", awaited=False)
def _rotate(cloud: Cloud, payload: Json) -> None:
    with cloud.store.transaction():
        key = cloud.store.get(KEY, payload["key"])
        if key is None or key.get("nextRotationTime") != payload["due"]:
            return
        version = add_version(cloud, key["name"])
        key["_primary"] = version["name"]
        key.pop("nextRotationTime")
        if "rotationPeriod" in key:
            period = duration_s(key["rotationPeriod"])
            last = datetime.fromisoformat(payload["due"]).timestamp()
            following = max(last + period, cloud.clock.now() + 1)
            key["nextRotationTime"] = cloud.clock.timestamp(following)
        cloud.store.put(KEY, key["name"], key)
        plan_rotation(cloud, key)
