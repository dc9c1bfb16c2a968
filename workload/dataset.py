"""Open the order's dataset into a private directory: those parts, whole, and nothing else.

- A part is accepted when it opens in its place and both its digests and sizes are the order's; a file
  when its parts together have the order's digest (`sealtrain.sealing.parts`).
- A broken transfer starts its part again; a part that is wrong ends the run, and is named.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import urllib3
from sealtrain.rules.order import Order
from sealtrain.rules.sealed import Part
from sealtrain.sealing import DataKey, Reader, SealingError, open_file

from workload.cloud import Cloud
from workload.errors import WorkloadError

_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)


def open_dataset(cloud: Cloud, order: Order, key: DataKey, directory: Path) -> None:
    """Write every file of the order's dataset under `directory`. Raises WorkloadError."""
    dataset = order.dataset

    @contextmanager
    def fetch(part: Part) -> Iterator[Reader]:
        with cloud.download(dataset.bucket, part.object) as source:
            yield source.raw

    for file in dataset.files:
        target = (directory / file.path).resolve()
        if not target.is_relative_to(directory.resolve()) or target.exists():
            raise WorkloadError("dataset_mismatch", "a path leaves the directory or stands twice")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("x+b") as out:
                open_file(dataset, file, fetch, out, key, broken=_BROKEN)
        except SealingError as error:
            raise WorkloadError("dataset_mismatch", str(error)) from error
        except _BROKEN as error:
            raise WorkloadError("cloud_unavailable", f"reading {file.path}") from error
