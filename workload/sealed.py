"""Files in and out of a bucket, sealed in parts: the dataset, the model, the checkpoint.

- `sealing` opens: each part in its place, with the stated sizes and digests; nothing else is read. A broken
  transfer starts its part again; a part that is wrong ends the run.
- What is sealed here has a fresh key, wrapped and bound to `identity`; the manifest is written last.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import requests
import urllib3
from sealtrain import sealing

from workload.cloud import Cloud
from workload.errors import WorkloadError

_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)


def open_files(
    cloud: Cloud, bucket: str, sealed: sealing.SealedFiles, key: sealing.DataKey, directory: Path
) -> None:
    """Write every file of an order's dataset or of a manifest (both were parsed: no path leaves its folder)
    under `directory`. Raises WorkloadError, `dataset_mismatch` for what is wrong.
    """
    try:
        for file in sealed.files:
            target = directory / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x+b") as out:
                fetch = partial(cloud.download, bucket)
                sealing.open_file(sealed, file, fetch, out, key, broken=_BROKEN)
    except sealing.SealingError as error:
        raise WorkloadError("dataset_mismatch", f"{error.body.field} is not what was named") from error
    except _BROKEN as error:
        raise WorkloadError("cloud_unavailable", "a transfer broke each time") from error


def seal_files(
    cloud: Cloud, bucket: str, prefix: str, kms_key: str, identity: str, files: Mapping[str, Path]
) -> sealing.Manifest:
    """Write the files (by the path they are named with) as `{prefix}PATH.part-N`; give their manifest."""
    key = sealing.new_data_key()
    wrapped, version = cloud.encrypt(kms_key, key.serialize(), identity)
    sealed = [_seal_file(cloud, bucket, prefix, identity, key, name, file) for name, file in files.items()]
    wrapped_key = sealing.WrappedKey(kms_key, version, wrapped, associated_data=identity)
    return sealing.Manifest(identity, "workload", tuple(sealed), wrapped_key)


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
