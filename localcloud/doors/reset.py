"""Back to an empty project: processes ended, documents, bytes, planned work gone; keys and addresses stay."""

from __future__ import annotations

import shutil

from localcloud.doors.functions_process import instances
from localcloud.machine import processes
from localcloud.world.cloud import Cloud
from localcloud.world.weather import GENTLE

_FOLDERS = ("functions", "machines", "uploads", "images", "objects", "blobs")


def reset(cloud: Cloud) -> None:
    """Forget everything. The clock stays where it is."""
    instances(cloud).end_all()
    processes.end_all(cloud, "", grace_s=0)
    cloud.store.clear()
    for name in _FOLDERS:
        folder = cloud.root / name
        shutil.rmtree(folder, ignore_errors=True)
        if name == "blobs":
            folder.mkdir(exist_ok=True)
    cloud.faults.clear()
    cloud.calls.clear()
    cloud.iam.seed()
    cloud.weather.change(GENTLE, 0, {})
