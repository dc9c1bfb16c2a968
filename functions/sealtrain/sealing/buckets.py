"""Sources, vault and key service of a session, over Cloud Storage and Cloud KMS (given as objects)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sealtrain.rules.errors import AlreadyExistsError, NotFoundError
from sealtrain.rules.job import SourceObject
from sealtrain.rules.uploads import source_changed
from sealtrain.sealing.manifest import WrappedKey
from sealtrain.sealing.stream import Reader, Writer

if TYPE_CHECKING:
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.storage import Storage


class ObjectSource:
    """One object of an upload at its frozen generation."""

    def __init__(self, bucket: str, each: SourceObject, storage: Storage) -> None:
        self._bucket, self._object, self._storage = bucket, each, storage
        self.path, self.size = each.path, each.size

    @contextmanager
    def open(self, offset: int) -> Iterator[Reader]:
        """Its bytes from `offset` on; reading raises RefusedError when the generation is gone."""
        each = self._object
        reader = self._storage.open_reader(self._bucket, each.name, each.generation, each.crc32c, offset)
        yield _Frozen(reader, each)


class BucketVault:
    """Sealed objects in a bucket, and the notes of their session under a prefix beside them."""

    def __init__(self, bucket: str, notes: str, storage: Storage) -> None:
        self._bucket, self._notes, self._storage = bucket, notes, storage

    def find(self, name: str) -> bytes | None:
        """A note, or None."""
        return self._storage.find(self._bucket, self._notes + name)

    def keep(self, name: str, data: bytes) -> bytes:
        """Write a note once; give the one that stands."""
        try:
            self._storage.create(self._bucket, self._notes + name, data)
        except AlreadyExistsError:
            return self._storage.get(self._bucket, self._notes + name)
        return data

    @contextmanager
    def writer(self, name: str) -> Iterator[Writer]:
        """A new object."""
        with self._storage.open_writer(self._bucket, name) as writer:
            yield writer

    @contextmanager
    def reader(self, name: str) -> Iterator[Reader]:
        """An object's bytes; whoever opens a part compares their digest."""
        yield self._storage.open_reader(self._bucket, name)

    def forget(self) -> None:
        """Remove the notes; a bucket that is gone has none."""
        try:
            for note in self._storage.list(self._bucket, self._notes):
                self._storage.delete(self._bucket, note.name)
        except NotFoundError:
            return


class KmsKey:
    """One key of Cloud KMS."""

    def __init__(self, name: str, kms: Kms) -> None:
        self._name, self._kms = name, kms

    def wrap(self, secret: bytes, associated_data: str) -> WrappedKey:
        """Encrypt under the key's primary version."""
        made = self._kms.encrypt(self._name, secret, associated_data.encode())
        wrapped = b64encode(made.ciphertext).decode()
        return WrappedKey(self._name, made.key_version, wrapped, associated_data)

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Decrypt, by whichever version encrypted."""
        return self._kms.decrypt(self._name, b64decode(wrapped.wrapped), wrapped.associated_data.encode())


class _Frozen:
    def __init__(self, reader: Reader, each: SourceObject) -> None:
        self._reader, self._object = reader, each

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._reader.read(size)
        except NotFoundError as error:
            raise source_changed(self._object.name, self._object.generation) from error
