"""Where the bytes of objects lie, and how they go when the last object that holds them is gone.

The same bytes are kept once. A file without an object is removed a minute after its last one went,
so that an upload that has just written the same bytes does not lose them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from localcloud.world.beat import task
from localcloud.world.blobs import Blobs
from localcloud.world.cloud import Cloud

_HOLDERS = "storage.holders"  # name: SHA-256; how many object versions hold these bytes
_GRACE_S = 60
_CHUNK = 1 << 20


def contents(cloud: Cloud) -> Blobs:
    """The folder of object bytes."""
    return Blobs(cloud.root / "objects")


def hold(cloud: Cloud, sha256: str) -> None:
    """Count one more object version with these bytes."""
    held = cloud.store.get(_HOLDERS, sha256) or {"count": 0}
    cloud.store.put(_HOLDERS, sha256, {"count": held["count"] + 1})


def let_go(cloud: Cloud, sha256: str) -> None:
    """Count one less; bytes that nobody holds are removed later."""
    held = cloud.store.get(_HOLDERS, sha256) or {"count": 1}
    if held["count"] > 1:
        cloud.store.put(_HOLDERS, sha256, {"count": held["count"] - 1})
        return
    cloud.store.delete(_HOLDERS, sha256)
    cloud.beat.later(_GRACE_S, "storage.remove_bytes", {"sha256": sha256})


def read(cloud: Cloud, sha256: str, start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` to before `end`; opened at once, so a later delete does not matter."""
    file = contents(cloud).path(sha256).open("rb")

    def chunks() -> Iterator[bytes]:
        with file:
            file.seek(start)
            left = end - start
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk

    return chunks()


@task("storage.remove_bytes", awaited=False)
def _remove(cloud: Cloud, payload: dict[str, str]) -> None:
    sha256 = payload["sha256"]
    path = contents(cloud).path(sha256)
    with cloud.store.transaction():
        if cloud.store.get(_HOLDERS, sha256) is not None or not path.exists():
            return
        if time.time() - path.stat().st_mtime < _GRACE_S:  # real time: virtual time may have leapt
            cloud.beat.later(_GRACE_S, "storage.remove_bytes", payload)
            return
        path.unlink()
