"""Files in and out of a bucket, sealed in parts: the dataset, the model, the checkpoint.

- A part is accepted when it opens in its place and its digests and sizes are the stated ones; a file,
  when its parts together have the stated size and digest. Nothing else is read.
- A broken transfer starts its part again; a part that is wrong ends the run.
- What is sealed here has a fresh key, wrapped and bound to `identity`; the manifest is written last.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import requests
import urllib3
from sealtrain import sealing

from workload.cloud import Cloud
from workload.errors import WorkloadError

_ATTEMPTS = 4
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)
_COMPARED = ("size", "sha256", "sealed_size", "sealed_sha256")


def open_files(
    cloud: Cloud,
    bucket: str,
    identity: str,
    files: Sequence[Any],  # of an order or of a manifest: the same fields
    key: sealing.DataKey,
    directory: Path,
) -> None:
    """Write every file under `directory`. Raises WorkloadError, `dataset_mismatch` for what is wrong."""
    for file in files:
        target = (directory / file.path).resolve()
        if not target.is_relative_to(directory.resolve()) or target.exists():
            raise WorkloadError("dataset_mismatch", "a path leaves the directory or stands twice")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x+b") as out:
            for number, part in enumerate(file.parts):
                place = sealing.associated_data(identity, file.path, number, len(file.parts))
                got = _open_part(cloud, bucket, part, key, place, out)
                if any(getattr(got, name) != getattr(part, name) for name in _COMPARED):
                    raise WorkloadError("dataset_mismatch", f"{part.object} is not the one that was named")
            size = out.tell()
            out.seek(0)
            sha256 = hashlib.file_digest(out, "sha256").hexdigest()
        if (size, f"sha256:{sha256}") != (file.size, file.sha256):
            raise WorkloadError("dataset_mismatch", "a file differs from what was named")


def _open_part(
    cloud: Cloud, bucket: str, part: Any, key: sealing.DataKey, place: bytes, out: IO[bytes]
) -> sealing.Sealed:
    start = out.tell()
    for attempt in range(1, _ATTEMPTS + 1):
        out.seek(start)
        out.truncate()
        try:
            with cloud.download(bucket, part.object) as source:
                return sealing.open_(source.raw, out, key, place)
        except sealing.SealingError as error:
            raise WorkloadError("dataset_mismatch", f"{part.object} does not open") from error
        except _BROKEN as error:
            if attempt == _ATTEMPTS:
                raise WorkloadError("cloud_unavailable", f"reading {part.object}") from error
    raise AssertionError("the last attempt returns or raises")


def seal_files(
    cloud: Cloud, bucket: str, prefix: str, kms_key: str, identity: str, files: Mapping[str, Path]
) -> sealing.Manifest:
    """Write the files (by the path they are named with) as `{prefix}PATH.part-N`; give their manifest."""
    key = sealing.new_data_key()
    wrapped, version = cloud.encrypt(kms_key, key.serialize(), identity)
    sealed = [_seal_file(cloud, bucket, prefix, identity, key, name, file) for name, file in files.items()]
    return sealing.Manifest(
        id=identity,
        sealed_by="workload",
        files=tuple(sealed),
        key=sealing.WrappedKey(kms_key, version, wrapped, associated_data=identity),
    )


def _seal_file(
    cloud: Cloud, bucket: str, prefix: str, identity: str, key: sealing.DataKey, path: str, file: Path
) -> sealing.SealedFile:
    size = file.stat().st_size
    count = sealing.count_parts(size)
    parts = []
    with file.open("rb") as source:
        for number in range(count):
            place = sealing.associated_data(identity, path, number, count)
            name = f"{prefix}{path}.part-{number:05d}"
            with tempfile.TemporaryFile() as buffer:
                got = sealing.seal(source, buffer, key, place)
                buffer.seek(0)
                cloud.create(bucket, name, buffer, got.sealed_crc32c)
            parts.append(sealing.Part(name, got.size, got.sha256, got.sealed_size, got.sealed_sha256))
        source.seek(0)
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    return sealing.SealedFile(path, size, f"sha256:{sha256}", tuple(parts))
