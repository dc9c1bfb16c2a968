"""Seal and open one part, streaming, with flat memory.

- A part holds at most PART_BYTES of plaintext and opens without any other part.
- Digests of both sides are computed while the bytes pass, beside the encryption, the reading and the writing,
  each in a lane of its own (`lanes`); nothing is read twice.
- A seal that fails half-way never becomes a valid shorter part: its last segment is not written.
- `open_` writes only authenticated segments, but an end that is missing shows only at the end:
  when it raises, the caller throws away what was written.
"""

import hashlib
import json
import sys
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

import google_crc32c
import msgspec
import tink

from sealtrain.sealing.errors import NotOpenedError, SealingError
from sealtrain.sealing.key import DataKey
from sealtrain.sealing.lanes import PIECE_BYTES, Ahead, Lane

PART_BYTES = 256 * 1024 * 1024
_SCHEME = "sealtrain.part.v1"
_extend_crc32c: Callable[[int, bytes], int] = google_crc32c.extend


class Reader(Protocol):
    """Gives at most `size` bytes; empty bytes mean the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        ...


class Writer(Protocol):
    """Takes all the bytes it is given."""

    def write(self, data: bytes, /) -> int | None:
        """Take the bytes."""
        ...


class Sealed(msgspec.Struct, frozen=True):
    """One part as measured while it passed: sizes in bytes, digests as `sha256:<hex>`, CRC32C in base64.

    `sha256` is empty where none was asked for.
    """

    size: int
    sha256: str
    crc32c: str
    sealed_size: int
    sealed_sha256: str
    sealed_crc32c: str


def associated_data(dataset: str, path: str, part: int, count: int) -> bytes:
    """Name a part's place: the `id` of its order or manifest, its file, its number of how many.

    Raises SealingError when part (from 0) and count cannot be.
    """
    if not 0 <= part < count:
        raise SealingError(
            "part",
            got=f"{part} of {count}",
            expected="0 <= part < count",
            remedy="number the parts of a file from 0; an empty file has one empty part",
        )
    place = {"scheme": _SCHEME, "dataset": dataset, "path": path, "part": part, "count": count}
    return json.dumps(place, sort_keys=True, separators=(",", ":")).encode()


def count_parts(size: int, part_bytes: int = PART_BYTES) -> int:
    """Give the number of parts of a file of `size` bytes; an empty file has one."""
    return max(1, -(-size // part_bytes))


def seal(
    reader: Reader,
    writer: Writer,
    key: DataKey,
    associated: bytes,
    *,
    limit: int = PART_BYTES,
    digest: bool = True,
) -> Sealed:
    """Seal the reader's next bytes, at most `limit`, as one part.

    Who knows the plaintext's digest already asks for none. What reader or writer raise passes through; the
    bytes written by then never open.
    """
    with (
        Lane(writer.write) as out,
        Meter(digest) as plain,
        Meter() as sealed,
        Ahead(reader.read, limit) as source,
    ):
        sink = _Sink(sealed, out)
        stream = key.primitive().new_encrypting_stream(sink, associated)
        try:
            while chunk := source.take():
                plain.put(chunk)
                stream.write(chunk)
            stream.close()
            sink.flush()
        except BaseException as error:
            # Tink's stream would write its final segment when it is collected.
            sink.broken = True
            raise (sink.failure or error) from error
        out.finish()
        return _measured(plain, sealed)


def open_(reader: Reader, writer: Writer, key: DataKey, associated: bytes) -> Sealed:
    """Open one whole part, read until the reader's end.

    Raises SealingError when it is not the part that was sealed for this place with this key; then
    throw away what was written. What reader or writer raise passes through.
    """
    with (
        Lane(writer.write) as out,
        Meter() as plain,
        Meter() as sealed,
        Ahead(reader.read, sys.maxsize) as ahead,
    ):
        source = _Source(ahead, sealed)
        stream = key.primitive().new_decrypting_stream(source, associated).detach()
        try:
            while chunk := stream.read(PIECE_BYTES):
                plain.put(chunk)
                out.put(chunk)
        except tink.TinkError as error:
            if source.failure is not None:
                raise source.failure from error
            while source.read(PIECE_BYTES):
                """Measure what is left of it, so that the refusal can name it."""
            raise NotOpenedError(associated, sealed.size, sealed.sha256()) from error
        out.finish()
        return _measured(plain, sealed)


class Meter(Lane):
    """Counts and sums up the bytes that pass on one side; `digest` False leaves SHA-256 out."""

    def __init__(self, digest: bool = True) -> None:
        super().__init__(self._sum)
        self.size = 0
        self._sha256 = hashlib.sha256() if digest else None
        self._crc32c = 0

    def __enter__(self) -> "Meter":
        return self

    def put(self, piece: bytes) -> None:
        """Take the next piece."""
        self.size += len(piece)
        super().put(piece)

    def sha256(self) -> str:
        """`sha256:<hex>` of all of them; empty if it was left out."""
        self.finish()
        return "" if self._sha256 is None else f"sha256:{self._sha256.hexdigest()}"

    def crc32c(self) -> str:
        """In base64, as Cloud Storage writes it."""
        self.finish()
        return b64encode(self._crc32c.to_bytes(4, "big")).decode()

    def _sum(self, piece: bytes) -> None:
        self._crc32c = _extend_crc32c(self._crc32c, piece)
        if self._sha256 is not None:
            self._sha256.update(piece)


class _Sink:
    """The file object Tink writes its small pieces to; it passes large ones on, and keeps their failure."""

    closed = False

    def __init__(self, meter: Meter, out: Lane) -> None:
        self._meter, self._out = meter, out
        self._held: list[bytes] = []
        self._size = 0
        self.broken = False
        self.failure: Exception | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self._held.append(data)
        self._size += len(data)
        if self._size >= PIECE_BYTES or self.broken:
            self.flush()
        return len(data)

    def flush(self) -> None:
        piece = b"".join(self._held)
        self._held.clear()
        self._size = 0
        if self.broken:
            return
        try:
            self._meter.put(piece)
            self._out.put(piece)
        except Exception as error:
            self.failure = error
            self.broken = True
            raise

    def close(self) -> None:
        self.closed = True


class _Source:
    """The file object Tink reads from; it keeps the reader's own error and never closes it."""

    closed = False

    def __init__(self, ahead: Ahead, meter: Meter) -> None:
        self._ahead, self._meter = ahead, meter
        self._left = memoryview(b"")
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:
        if not self._left:
            try:
                piece = self._ahead.take()
            except Exception as error:
                self.failure = error
                raise
            self._meter.put(piece)
            self._left = memoryview(piece)
        data, self._left = bytes(self._left[:size]), self._left[size:]
        return data

    def close(self) -> None:
        self.closed = True


def _measured(plain: Meter, sealed: Meter) -> Sealed:
    return Sealed(
        size=plain.size,
        sha256=plain.sha256(),
        crc32c=plain.crc32c(),
        sealed_size=sealed.size,
        sealed_sha256=sealed.sha256(),
        sealed_crc32c=sealed.crc32c(),
    )
