"""Reads an object as one stream, in pieces of a megabyte.

- After a line that broke, 429 and 5xx, the stream goes on at the byte where it broke, of the same generation,
  a few times. (The library's own reader asks anew for every chunk, and takes each in pieces of 8 KiB.)
- Bytes come as they are stored; whoever reads compares a checksum or digest of the whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from sealtrain.cloud.failures import for_code
from sealtrain.rules.errors import NotReadyError, ThrottledError

_PIECE_BYTES = 1024 * 1024
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
_TIMEOUT_S = 60


class ObjectStream:
    """The object's bytes from `start` on; `session` is authorised, `origin` the service's address."""

    def __init__(
        self, session: Any, origin: str, bucket: str, name: str, generation: str | None, start: int
    ) -> None:
        self._session, self._address = session, f"gs://{bucket}/{name}"
        self._url = f"{origin}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
        self._generation, self._at = generation, start
        self._pieces: Iterator[bytes] | None = None
        self._left = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Give at most `size` bytes; all that is left if it is negative. Empty bytes mean the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE_BYTES), b""))
        if not self._left and size:
            self._left = memoryview(self._next_piece())
        data, self._left = bytes(self._left[:size]), self._left[size:]
        return data

    def _next_piece(self) -> bytes:
        # This is loaded already by whoever made the session.
        from requests.exceptions import RequestException

        for pause_s in (*_PAUSES_S, None):
            try:
                if self._pieces is None:
                    self._pieces = self._open()
                piece = next(self._pieces, b"")
            except (RequestException, NotReadyError, ThrottledError):
                self._pieces = None
                if pause_s is None:
                    raise
                time.sleep(pause_s)
            else:
                self._at += len(piece)
                return piece
        raise AssertionError("the last try returns or raises")

    def _open(self) -> Iterator[bytes]:
        asked = {"alt": "media"} | ({"generation": self._generation} if self._generation else {})
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={self._at}-"} if self._at else {})
        answer = self._session.get(self._url, params=asked, headers=headers, stream=True, timeout=_TIMEOUT_S)
        if answer.status_code == 416:
            return iter(())
        if answer.status_code not in {200, 206}:
            raise for_code(answer.status_code, self._address, answer.text[:200])
        self._generation = answer.headers.get("x-goog-generation", self._generation)
        pieces: Iterator[bytes] = answer.iter_content(_PIECE_BYTES)
        return pieces
