"""Cloud Storage, one call per method.

- Every byte that goes or comes is checked with CRC32C, by the library or at a stream's end; readers and
  writers stream. Who opens a sealed part compares its SHA-256.
- Generations are text. A create is create-if-absent; a delete takes "not there" as done.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, Protocol

from sealtrain.cloud.failures import ours
from sealtrain.cloud.patience import storage_again, storage_briefly
from sealtrain.cloud.stream import ObjectStream, Pieces
from sealtrain.rules.errors import AlreadyExistsError, NotFoundError, UnavailableError
from sealtrain.rules.resources import BucketInfo, BucketSpec, ObjectInfo
from sealtrain.rules.settings import Settings

CHUNK_BYTES = 8 * 1024 * 1024


class Reader(Protocol):
    """Gives at most `size` bytes; empty bytes mean the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        ...


MOST_BYTES = 32 << 20
"""Of an object that is read whole: the largest of our records, a bundle, has no more."""


class _TooMuchError(Exception):
    """More came than is held."""


class _Held(BytesIO):
    def write(self, data: Any) -> int:
        room = MOST_BYTES + 1 - self.tell()
        if len(data) > room:
            super().write(data[:room])
            raise _TooMuchError
        return super().write(data)


class Storage:
    """Objects and buckets."""

    def __init__(self, settings: Settings, credentials: Any = None) -> None:
        from google.cloud.storage import Client

        options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
        self._origin = settings.endpoint or "https://storage.googleapis.com"
        self._client = Client(project=settings.project, credentials=credentials, client_options=options)

    # --- objects ---------------------------------------------------------------------------

    def get(self, bucket: str, name: str, generation: str | None = None, first: int | None = None) -> bytes:
        """The object's bytes, or its first bytes. Raises NotFoundError.

        Of an object above MOST_BYTES one byte more than that, so that no record that somebody else made
        fills the memory: whoever parses it finds it too large.
        """
        with ours(_address(bucket, name)):
            blob = self._blob(bucket, name, generation)
            if first is not None:
                return bytes(blob.open("rb", chunk_size=first, **storage_briefly()).read(first))
            held = _Held()
            with suppress(_TooMuchError):
                blob.download_to_file(held, checksum="crc32c", **storage_briefly())
            return held.getvalue()

    def find(self, bucket: str, name: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        try:
            return self.get(bucket, name)
        except NotFoundError:
            return None

    def open_reader(
        self, bucket: str, name: str, generation: str | None = None, crc32c: str = "", start: int = 0
    ) -> Reader:
        """A stream of the object's bytes from `start` on.

        At the end of a stream from 0 on they are compared with `crc32c`, if given.
        NotFoundError may come at the first read, UnavailableError (damaged) at the last.
        """
        stream = ObjectStream(self._client._http, self._origin, bucket, name, generation, start)
        return _Reader(stream, _address(bucket, name), "" if start else crc32c)

    @contextmanager
    def open_writer(self, bucket: str, name: str) -> Iterator[_Writer]:
        """A stream into a new object, which stands once the block ends without an error; with one, never.

        A thread sends while the caller makes the next bytes. Raises AlreadyExistsError when the object stands
        already.
        """
        from concurrent.futures import ThreadPoolExecutor

        address = _address(bucket, name)
        blob = self._blob(bucket, name)
        blob.chunk_size = CHUNK_BYTES
        pieces = Pieces(most=CHUNK_BYTES)
        with ThreadPoolExecutor(1) as beside, pieces:
            sent = beside.submit(
                blob.upload_from_file, pieces, checksum="crc32c", if_generation_match=0, **storage_again()
            )
            sent.add_done_callback(pieces.stop)
            yield _Writer(pieces, address)
            pieces.end()
            with ours(address):
                sent.result()

    def create(self, bucket: str, name: str, data: bytes, content_type: str = "application/json") -> str:
        """Create the object; give its generation. Raises AlreadyExistsError."""
        return self._write(bucket, name, data, content_type, if_generation_match=0)

    def put(self, bucket: str, name: str, data: bytes, content_type: str = "application/json") -> str:
        """Write the object, over whatever stands there; give its generation."""
        return self._write(bucket, name, data, content_type)

    def stat(self, bucket: str, name: str, generation: str | None = None) -> ObjectInfo | None:
        """The object's description, or None."""
        with ours(_address(bucket, name)):
            blob = self._client.bucket(bucket).get_blob(
                name, generation=int(generation) if generation else None, **storage_briefly()
            )
            return None if blob is None else _object(bucket, blob)

    def copy(self, bucket: str, name: str, generation: str, to_bucket: str, to_name: str) -> ObjectInfo:
        """Copy a generation to a new object, inside Cloud Storage; the copy, or what stands there."""
        made = self._blob(to_bucket, to_name)
        try:
            with ours(_address(to_bucket, to_name)):
                source = self._blob(bucket, name, generation)
                token, _, _ = made.rewrite(source, if_generation_match=0, **storage_again())
                while token is not None:
                    token, _, _ = made.rewrite(source, token=token, if_generation_match=0, **storage_again())
        except AlreadyExistsError:
            with ours(_address(to_bucket, to_name)):
                made.reload(**storage_briefly())
        return _object(to_bucket, made)

    def delete(self, bucket: str, name: str, generation: str | None = None) -> bool:
        """Delete the object, or this generation of it; False when it was not there."""
        try:
            with ours(_address(bucket, name)):
                self._client.bucket(bucket).delete_blob(
                    name, generation=int(generation) if generation else None, **storage_briefly()
                )
        except NotFoundError:
            return False
        return True

    # --- buckets ---------------------------------------------------------------------------

    def create_bucket(self, spec: BucketSpec) -> BucketInfo:
        """Make the bucket. Raises AlreadyExistsError."""
        with ours(spec.name):
            bucket = self._client.bucket(spec.name)
            bucket.default_kms_key_name = spec.kms_key
            bucket.labels = spec.labels
            bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            bucket.iam_configuration.public_access_prevention = "enforced"
            bucket.soft_delete_policy.retention_duration_seconds = 0
            bucket.versioning_enabled = False
            self._client.create_bucket(bucket, location=spec.location, **storage_briefly())
            return _bucket(bucket)

    def get_bucket(self, name: str) -> BucketInfo | None:
        """The bucket's description, or None."""
        try:
            with ours(name):
                return _bucket(self._client.get_bucket(name, **storage_briefly()))
        except NotFoundError:
            return None

    def list_buckets(self, prefix: str) -> list[BucketInfo]:
        """The project's buckets whose name begins with the prefix."""
        with ours(prefix):
            return [_bucket(b) for b in self._client.list_buckets(prefix=prefix, **storage_briefly())]

    def delete_bucket(self, name: str) -> bool:
        """Delete the empty bucket; False when it was not there."""
        try:
            with ours(name):
                self._client.bucket(name).delete(**storage_briefly())
        except NotFoundError:
            return False
        return True

    def list(self, bucket: str, prefix: str = "") -> list[ObjectInfo]:
        """The objects whose name begins with the prefix, by name. Raises NotFoundError."""
        with ours(_address(bucket, prefix)):
            found = self._client.list_blobs(bucket, prefix=prefix, **storage_briefly())
            return [_object(bucket, blob) for blob in found]

    def _write(self, bucket: str, name: str, data: bytes, content_type: str, **conditions: int) -> str:
        with ours(_address(bucket, name)):
            blob = self._blob(bucket, name)
            blob.upload_from_string(
                data, content_type=content_type, checksum="crc32c", **conditions, **storage_briefly()
            )
            return str(blob.generation)

    def _blob(self, bucket: str, name: str, generation: str | None = None) -> Any:
        return self._client.bucket(bucket).blob(name, generation=int(generation) if generation else None)


class _Reader:
    """A stream whose failures are ours, and whose bytes are checked at their end."""

    def __init__(self, stream: Any, address: str, crc32c: str) -> None:
        import google_crc32c

        self._stream = stream
        self._address = address
        self._wanted = crc32c
        self._sum: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        with ours(self._address):
            data = bytes(self._stream.read(size))
        if self._wanted:
            self._sum.update(data)
        ended = size < 0 or (not data and size > 0)
        if ended and self._wanted and b64encode(self._sum.digest()).decode() != self._wanted:
            raise UnavailableError(
                "bytes were damaged on the way",
                code="damaged_in_transit",
                field=self._address,
                expected=f"crc32c {self._wanted}",
                remedy="ask again",
            )
        return data


class _Writer:
    """A stream whose failures are ours."""

    def __init__(self, stream: Pieces, address: str) -> None:
        self._stream = stream
        self._address = address

    def write(self, data: bytes, /) -> int:
        """Take the bytes."""
        with ours(self._address):
            return self._stream.write(data)


def _address(bucket: str, name: str) -> str:
    return f"gs://{bucket}/{name}"


def _object(bucket: str, blob: Any) -> ObjectInfo:
    return ObjectInfo(
        bucket=bucket,
        name=blob.name,
        generation=str(blob.generation),
        size=int(blob.size or 0),
        crc32c=blob.crc32c or "",
        created=blob.time_created.isoformat() if blob.time_created else "",
        content_type=blob.content_type,
        metadata=dict(blob.metadata or {}),
    )


def _bucket(bucket: Any) -> BucketInfo:
    access = bucket.iam_configuration
    return BucketInfo(
        name=bucket.name,
        location=(bucket.location or "").lower(),
        kms_key=bucket.default_kms_key_name,
        labels=dict(bucket.labels),
        uniform_access=bool(access.uniform_bucket_level_access_enabled),
        public_access_prevention=access.public_access_prevention or "inherited",
        soft_delete_s=int(bucket.soft_delete_policy.retention_duration_seconds or 0),
        versioning=bool(bucket.versioning_enabled),
        created=bucket.time_created.isoformat() if bucket.time_created else "",
    )
