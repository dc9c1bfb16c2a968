"""Unpacking layers into a folder, trusting nothing in them.

- Only directories and plain files: links, devices and anything else are refused.
- No entry leaves the folder; no set-user-ID bits; bounded in number and size.
- The uncompressed bytes of each layer must have the digest that the configuration names (its diff id).
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

MAX_BYTES = 8 << 30
MAX_ENTRIES = 200_000
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


class UnpackError(Exception):
    """A layer is not what it should be."""


def unpack(layers: tuple[Path, ...], diff_ids: tuple[str, ...], root: Path) -> None:
    """Lay the layers over each other in `root`. Raises UnpackError."""
    root.mkdir(parents=True, exist_ok=True)
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        plain = layer.with_suffix(".tar")
        got = _inflate(layer, plain)
        if got != diff_id:
            raise UnpackError(f"layer: got content of {got}, expected {diff_id}")
        try:
            with tarfile.open(plain, "r:") as archive:
                _extract(archive, root)
        except tarfile.TarError as error:
            raise UnpackError(f"layer {diff_id}: not a tar archive: {error}") from error
        plain.unlink()


def _inflate(layer: Path, plain: Path) -> str:
    hashed, size = hashlib.sha256(), 0
    with layer.open("rb") as source, plain.open("wb") as target:
        for chunk in _chunks(source):
            size += len(chunk)
            if size > MAX_BYTES:
                raise UnpackError(f"layer: more than {MAX_BYTES} bytes")
            hashed.update(chunk)
            target.write(chunk)
    return "sha256:" + hashed.hexdigest()


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    zipped = source.read(2) == _GZIP
    source.seek(0)
    if not zipped:
        while chunk := source.read(_CHUNK):
            yield chunk
        return
    inflater = zlib.decompressobj(wbits=31)
    try:
        while chunk := source.read(_CHUNK):
            while chunk:
                yield inflater.decompress(chunk, _CHUNK)
                chunk = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise UnpackError(f"layer: not gzip: {error}") from error


def _extract(archive: tarfile.TarFile, root: Path) -> None:
    size = 0
    for number, entry in enumerate(archive):
        path = _inside(entry.name)
        size += entry.size
        if number >= MAX_ENTRIES or size > MAX_BYTES:
            raise UnpackError(f"layer: more than {MAX_ENTRIES} entries or {MAX_BYTES} bytes")
        target = root / path
        if path.name.startswith(_WHITEOUT):
            _remove(target)
        elif entry.isdir():
            target.mkdir(parents=True, exist_ok=True)
        elif entry.isreg():
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(entry)
            assert content is not None  # noqa: S101 - a regular file has content
            with target.open("wb") as file:
                shutil.copyfileobj(content, file, _CHUNK)
            target.chmod(entry.mode & 0o755 | 0o600)
        else:
            raise UnpackError(
                f"layer: {entry.name!r} is a link or a device, only files and directories are unpacked"
            )


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UnpackError(f"layer: {name!r} would leave the image's folder")
    return path


def _remove(whiteout: Path) -> None:
    """A whiteout hides what lower layers brought: one name, or a whole directory's content."""
    if whiteout.name == _OPAQUE:
        targets = list(whiteout.parent.iterdir()) if whiteout.parent.is_dir() else []
    else:
        targets = [whiteout.with_name(whiteout.name.removeprefix(_WHITEOUT))]
    for target in targets:
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
