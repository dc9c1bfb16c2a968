"""Bytes on disk, addressed by their SHA-256: written whole or not at all, never changed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Blob:
    """What was stored: digests in hex, size in bytes."""

    sha256: str
    md5: str
    crc32c: int
    size: int


class Blobs:
    """A folder of content files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the bytes lie (existing or not)."""
        return self._folder / sha256[:2] / sha256

    def write(self, chunks: Iterable[bytes]) -> Blob:
        """Store a stream; flat memory."""
        import google_crc32c  # only uploads need it

        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        crc, size = 0, 0
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        try:
            with draft.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    sha256.update(chunk)
                    md5.update(chunk)
                    crc = google_crc32c.extend(crc, chunk)
                    size += len(chunk)
            final = self.path(sha256.hexdigest())
            final.parent.mkdir(exist_ok=True)
            os.replace(draft, final)
        finally:
            draft.unlink(missing_ok=True)
        return Blob(sha256.hexdigest(), md5.hexdigest(), crc, size)

    def adopt(self, file: Path) -> Blob:
        """Store a file that is written already: hashed, and linked, so that nothing is written again."""
        import google_crc32c

        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        crc, size = 0, 0
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                sha256.update(chunk)
                md5.update(chunk)
                crc = google_crc32c.extend(crc, chunk)
                size += len(chunk)
        final = self.path(sha256.hexdigest())
        final.parent.mkdir(exist_ok=True)
        link = self._folder / f".draft-{secrets.token_hex(8)}"
        os.link(file, link)
        os.replace(link, final)
        link.unlink(missing_ok=True)  # two names of one file are left both by a replace
        return Blob(sha256.hexdigest(), md5.hexdigest(), crc, size)
