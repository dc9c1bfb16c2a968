"""Seal and open one part, streaming, with flat memory.

- A part holds at most PART_BYTES of plaintext and opens without any other part.
- Digests of both sides are computed while the bytes pass; nothing is read twice.
- A seal that fails half-way never becomes a valid shorter part: its last segment is not written.
- `open_` writes only authenticated segments, but an end that is missing shows only at the end:
  when it raises, the caller throws away what was written.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import google_crc32c
import msgspec
import tink

from sealtrain.sealing.errors import NotOpenedError, SealingError
from sealtrain.sealing.key import DataKey

PART_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
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
    """One part as measured while it passed: sizes in bytes, digests as `sha256:<hex>`."""

    size: int
    sha256: str
    sealed_size: int
    sealed_sha256: str
    sealed_crc32c: str
    """Base64, as Cloud Storage writes it."""


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
    reader: Reader, writer: Writer, key: DataKey, associated: bytes, *, limit: int = PART_BYTES
) -> Sealed:
    """Seal the reader's next bytes, at most `limit`, as one part.

    What reader or writer raise passes through; the bytes written by then never open.
    """
    with _meters() as (plain, sealed):
        sink = _Sink(writer, sealed)
        stream = key.primitive().new_encrypting_stream(sink, associated)
        try:
            while plain.size < limit:
                chunk = reader.read(min(_CHUNK_BYTES, limit - plain.size))
                if not chunk:
                    break
                plain.add(chunk)
                stream.write(chunk)
            stream.close()
        except BaseException as error:
            # Tink's stream would write its final segment when it is collected.
            sink.broken = True
            raise (sink.failure or error) from error
        return _measured(plain, sealed)


def open_(reader: Reader, writer: Writer, key: DataKey, associated: bytes) -> Sealed:
    """Open one whole part, read until the reader's end.

    Raises SealingError when it is not the part that was sealed for this place with this key; then
    throw away what was written. What reader or writer raise passes through.
    """
    with _meters() as (plain, sealed):
        source = _Source(reader, sealed)
        stream = key.primitive().new_decrypting_stream(source, associated)
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                plain.add(chunk)
                writer.write(chunk)
        except tink.TinkError as error:
            if source.failure is not None:
                raise source.failure from error
            while source.read(_CHUNK_BYTES):
                """Measure what is left of it, so that the refusal can name it."""
            raise NotOpenedError(associated, sealed.size, sealed.sha256()) from error
        return _measured(plain, sealed)


@contextmanager
def _meters() -> Iterator[tuple["_Meter", "_Meter"]]:
    """A meter for each side, and their end."""
    plain, sealed = _Meter(), _Meter()
    try:
        yield plain, sealed
    finally:
        plain.end()
        sealed.end()


class _Meter:
    """Counts and hashes the bytes that pass on one side.

    The digest is computed beside the encryption, one piece behind it, by a thread that ends with the meter.
    """

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._crc32c = 0
        self._beside: ThreadPoolExecutor | None = None
        self._behind: Future[None] | None = None

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._crc32c = _extend_crc32c(self._crc32c, data)
        if self.size <= _CHUNK_BYTES:
            # Not worth a thread.
            self._sha256.update(data)
            return
        if self._beside is None:
            self._beside = ThreadPoolExecutor(1)
        self._catch_up()
        self._behind = self._beside.submit(self._sha256.update, data)

    def sha256(self) -> str:
        self._catch_up()
        return f"sha256:{self._sha256.hexdigest()}"

    def crc32c(self) -> str:
        return b64encode(self._crc32c.to_bytes(4, "big")).decode()

    def end(self) -> None:
        if self._beside is not None:
            self._beside.shutdown()

    def _catch_up(self) -> None:
        if self._behind is not None:
            self._behind.result()


class _Sink:
    """The file object Tink writes to; it keeps the writer's own error and never closes it."""

    closed = False

    def __init__(self, writer: Writer, meter: _Meter) -> None:
        self._writer = writer
        self._meter = meter
        self.broken = False
        self.failure: Exception | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        if self.broken:
            return len(data)
        try:
            self._writer.write(data)
        except Exception as error:
            self.failure = error
            self.broken = True
            raise
        self._meter.add(data)
        return len(data)

    def close(self) -> None:
        self.closed = True


class _Source:
    """The file object Tink reads from; it keeps the reader's own error and never closes it."""

    closed = False

    def __init__(self, reader: Reader, meter: _Meter) -> None:
        self._reader = reader
        self._meter = meter
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:
        try:
            data = self._reader.read(size)
        except Exception as error:
            self.failure = error
            raise
        self._meter.add(data)
        return data

    def close(self) -> None:
        self.closed = True


def _measured(plain: _Meter, sealed: _Meter) -> Sealed:
    return Sealed(
        size=plain.size,
        sha256=plain.sha256(),
        sealed_size=sealed.size,
        sealed_sha256=sealed.sha256(),
        sealed_crc32c=sealed.crc32c(),
    )
