"""Open the order's dataset into a private directory: those parts, whole, and nothing else.

- A part is accepted when it opens in its place and both its digests and sizes are the order's.
- A file is accepted when its parts together have the order's size and digest.
- A broken transfer starts its part again; a part that is wrong ends the run.
"""

import hashlib
from pathlib import Path
from typing import IO

import requests
import urllib3
from sealtrain.rules.order import Order, Part
from sealtrain.sealing import DataKey, Sealed, SealingError, associated_data, open_

from workload.cloud import Cloud
from workload.errors import WorkloadError

_ATTEMPTS = 4
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)


def open_dataset(cloud: Cloud, order: Order, key: DataKey, directory: Path) -> None:
    """Write every file of the order's dataset under `directory`. Raises WorkloadError."""
    dataset = order.dataset
    for file in dataset.files:
        target = (directory / file.path).resolve()
        if not target.is_relative_to(directory.resolve()) or target.exists():
            raise WorkloadError("dataset_mismatch", "a path leaves the directory or stands twice")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x+b") as out:
            for number, part in enumerate(file.parts):
                place = associated_data(dataset.id, file.path, number, len(file.parts))
                got = _open_part(cloud, dataset.bucket, part, key, place, out)
                if any(getattr(got, name) != getattr(part, name) for name in _COMPARED):
                    raise WorkloadError("dataset_mismatch", f"{part.object} is not the order's")
            size = out.tell()
            out.seek(0)
            sha256 = hashlib.file_digest(out, "sha256").hexdigest()
        if (size, f"sha256:{sha256}") != (file.size, file.sha256):
            raise WorkloadError("dataset_mismatch", "a file differs from the order")


_COMPARED = ("size", "sha256", "sealed_size", "sealed_sha256")


def _open_part(cloud: Cloud, bucket: str, part: Part, key: DataKey, place: bytes, out: IO[bytes]) -> Sealed:
    start = out.tell()
    for attempt in range(1, _ATTEMPTS + 1):
        out.seek(start)
        out.truncate()
        try:
            with cloud.download(bucket, part.object) as source:
                return open_(source.raw, out, key, place)
        except SealingError as error:
            raise WorkloadError("dataset_mismatch", f"{part.object} does not open") from error
        except _BROKEN as error:
            if attempt == _ATTEMPTS:
                raise WorkloadError("cloud_unavailable", f"reading {part.object}") from error
    raise AssertionError("the last attempt returns or raises")
