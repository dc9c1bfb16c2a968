"""The source of a function: a zip in a bucket, unpacked once per content.

- Only plain files inside the target folder: an entry that leaves it, or is a link, is refused.
- `main.py` must lie at the root, as the platform's build demands.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import quote

from localcloud.doors.errors import invalid, not_found
from localcloud.world.cloud import Cloud

_UNPACKING = threading.Lock()
MAX_BYTES = 500 << 20  # unpacked, as on the platform


def fetch(cloud: Cloud, bucket: str, name: str, generation: str | None) -> bytes:
    """The archive's bytes. Raises 404 if the object is not there."""
    url = f"{cloud.endpoint}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}?alt=media"
    if generation:
        url += f"&generation={generation}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own endpoint
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        raise not_found(f"Source gs://{bucket}/{name}") from error
    return content


def unpack(cloud: Cloud, content: bytes) -> Path:
    """The folder with the archive's files; the same content gives the same folder."""
    with _UNPACKING:  # functions that share an archive are deployed at the same time
        return _unpacked(cloud, content)


def _unpacked(cloud: Cloud, content: bytes) -> Path:
    digest = hashlib.sha256(content).hexdigest()
    folder = cloud.root / "functions" / digest[:16]
    if folder.exists():
        return folder
    draft = folder.with_suffix(f".draft{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _extract(archive, draft)
    except zipfile.BadZipFile as error:
        raise invalid(f"buildConfig.source.storageSource: not a zip archive ({error})") from error
    if not (draft / "main.py").is_file():
        raise invalid("Build failed: missing main.py and GOOGLE_FUNCTION_SOURCE not specified.")
    if not folder.exists():
        os.replace(draft, folder)
    return folder


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    total = 0
    for entry in archive.infolist():
        total += entry.file_size
        target = (folder / entry.filename).resolve()
        linked = stat.S_ISLNK(entry.external_attr >> 16)
        if linked or not target.is_relative_to(folder.resolve()) or total > MAX_BYTES:
            raise invalid(f"Build failed: archive entry {entry.filename!r} cannot be unpacked")
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))
