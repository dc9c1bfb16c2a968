"""An object as one stream: read in pieces of a megabyte, and written while the library sends.

- After a line that broke, 429 and 5xx, the stream goes on at the byte where it broke, of the same generation,
  a few times. (The library's own reader asks anew for every chunk, and takes each in pieces of 8 KiB.)
- Bytes come as they are stored; whoever reads compares a checksum or digest of the whole.
- What is written waits, a chunk at most, until the upload reads it in a thread of its own. (The library's own
  writer copies every byte three times, and its caller waits while it sends.)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sealtrain.cloud.failures import for_code
from sealtrain.rules.errors import NotReadyError, ThrottledError

if TYPE_CHECKING:
    from concurrent.futures import Future

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
            piece = self._next_piece()
            if len(piece) <= size:
                return piece
            self._left = memoryview(piece)
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


class Pieces:
    """Bytes that one thread writes and an upload in another one reads. The end of the block abandons them."""

    def __init__(self, most: int) -> None:
        self._most, self._waiting, self._read_bytes = most, 0, 0
        self._pieces: deque[bytes] = deque()
        self._changed = Condition()
        self._ended = self._abandoned = False
        self._upload: Future[None] | None = None

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def write(self, data: bytes, /) -> int:
        """Take the bytes, when there is room. Raises what the upload raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < self._most or self._upload is not None)
            if self._upload is not None:
                self._upload.result()
            self._pieces.append(bytes(data))
            self._waiting += len(data)
            self._changed.notify_all()
        return len(data)

    def end(self) -> None:
        """There will be no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self, upload: Future[None]) -> None:
        """The upload is over: whoever writes need not wait."""
        with self._changed:
            self._upload = upload
            self._changed.notify_all()

    def tell(self) -> int:
        """How many bytes were read."""
        return self._read_bytes

    def read(self, size: int, /) -> bytes:
        """Give exactly `size` bytes, fewer only at the end. Raises BrokenPipeError once abandoned."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting >= size or self._ended or self._abandoned)
            if self._abandoned:
                raise BrokenPipeError("whoever wrote has given up")
            taken: list[bytes] = []
            missing = size
            while missing > 0 and self._pieces:
                piece = self._pieces.popleft()
                if len(piece) > missing:
                    self._pieces.appendleft(piece[missing:])
                taken.append(piece[:missing])
                missing -= len(taken[-1])
            data = b"".join(taken)
            self._waiting -= len(data)
            self._read_bytes += len(data)
            self._changed.notify_all()
        return data
