"""Sealed files and their parts, as order and manifest name them, and what must hold of them.

- A file's parts together are the file; even an empty file has one part.
- Paths are relative and plain: they never name a place outside their directory.
- Nothing is named twice, neither a path nor an object.
- The id of a dataset is the digest of the canonical list of [path, size, sha256] of its files, so equal
  data has an equal id whoever sealed it, and one flipped byte gives another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from sealtrain.rules.canonical import Digest, digest, dumps

LONGEST_PATH_BYTES = 1024
LARGEST_MANIFEST_BYTES = 16 * 1024 * 1024


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed object of a file. Sizes in bytes; digests as `sha256:<hex>`, of plaintext and sealed."""

    object: str
    size: int
    sha256: str
    sealed_size: int
    sealed_sha256: str


class SealedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file and the parts it is made of, in order; size and digest are of the plaintext."""

    path: str
    size: int
    sha256: str
    parts: tuple[Part, ...]


class Fault(NamedTuple):
    """What is wrong with a list of sealed files."""

    field: str
    got: str
    expected: str


def dataset_id(files: Iterable[tuple[str, int, str]]) -> Digest:
    """The id of a dataset from its files' (path, size, sha256)."""
    return digest(dumps(sorted([path, size, sha256] for path, size, sha256 in files)))


def id_of(files: Iterable[SealedFile]) -> Digest:
    """The id of a dataset from its sealed files."""
    return dataset_id((file.path, file.size, file.sha256) for file in files)


def find_fault(files: Iterable[SealedFile]) -> Fault | None:
    """The first thing that must not be, or None."""
    paths: set[str] = set()
    objects: set[str] = set()
    for file in files:
        if not _plain(file.path):
            return Fault("path", repr(file.path[:80]), "a relative path of printable characters, no '..'")
        if file.path in paths:
            return Fault("path", f"{file.path!r} twice", "each path once")
        paths.add(file.path)
        total = sum(part.size for part in file.parts)
        if not file.parts or min(part.size for part in file.parts) < 0 or total != file.size:
            got = f"{len(file.parts)} parts of {total} bytes"
            return Fault(f"parts of {file.path!r}", got, f"parts that add up to {file.size} bytes")
        if len(file.parts) == 1 and file.parts[0].sha256 != file.sha256:
            return Fault(f"sha256 of {file.path!r}", file.sha256, f"{file.parts[0].sha256}, its only part's")
        for part in file.parts:
            if part.object in objects:
                return Fault("object", f"{part.object!r} twice", "each object once")
            objects.add(part.object)
    return None


def _plain(path: str) -> bool:
    printable = path.isprintable() and "\\" not in path and len(path.encode()) <= LONGEST_PATH_BYTES
    return printable and all(piece not in {"", ".", ".."} for piece in path.split("/"))
