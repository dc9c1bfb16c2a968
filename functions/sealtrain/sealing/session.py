"""Seal a dataset in pieces of work that may end at any line and go on in another process.

- First each file is hashed, whole and per part: the dataset's id is in every part's associated data. Then
  each part is sealed; its size and CRC32C must be those of what was hashed (whoever opens it compares the
  digest). Then, if asked, each is read back.
- What was done is recorded in batches, at most a part's worth of work apart, written once: of two processes
  at the same work, the second takes what the first recorded. Parts that no record names are left overs.
- The data key is kept, wrapped, before the first record of parts. A dataset that is sealed within one batch
  leaves no record at all, and its key is never kept.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from typing import Protocol

import msgspec

from sealtrain.rules.errors import RETRYABLE
from sealtrain.rules.sealed import Part, SealedFile, dataset_id
from sealtrain.sealing.errors import SealingError
from sealtrain.sealing.key import DataKey, new_data_key
from sealtrain.sealing.lanes import Ahead, Lane
from sealtrain.sealing.manifest import WrappedKey
from sealtrain.sealing.parts import open_part
from sealtrain.sealing.stream import PART_BYTES, Meter, Reader, Writer, associated_data, count_parts, seal

_KEY = "key.json"


class Source(Protocol):
    """One plain file, the same bytes whenever it is read."""

    @property
    def path(self) -> str:
        """Its place in the dataset."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def open(self, offset: int) -> AbstractContextManager[Reader]:
        """Its bytes from `offset` on."""
        ...


class Vault(Protocol):
    """Where sealed objects go, and the records of a session."""

    def find(self, name: str) -> bytes | None:
        """A record, or None."""
        ...

    def keep(self, name: str, data: bytes) -> bytes:
        """Write a record once; give the one that stands, which may be an earlier one."""
        ...

    def writer(self, name: str) -> AbstractContextManager[Writer]:
        """A new object, which stands once the block ends without an error."""
        ...

    def reader(self, name: str) -> AbstractContextManager[Reader]:
        """An object's bytes."""
        ...


class KeyService(Protocol):
    """Wraps a data key."""

    def wrap(self, secret: bytes, associated_data: str) -> WrappedKey:
        """Encrypt, bound to the associated data."""
        ...

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Decrypt."""
        ...


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part's plaintext: size in bytes, digest as `sha256:<hex>`, CRC32C in base64."""

    size: int
    sha256: str
    crc32c: str


class Hashed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plain file's digest, and its parts."""

    sha256: str
    parts: tuple[Plain, ...]


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Work done: files hashed, parts sealed, parts read back; each goes on where the batch before ended."""

    hashed: tuple[Hashed, ...] = ()
    sealed: tuple[Part, ...] = ()
    checked: int = 0


class Finished(msgspec.Struct, frozen=True):
    """A sealed dataset and its key."""

    id: str
    files: tuple[SealedFile, ...]
    key: DataKey


class Session:
    """The sealing of one dataset. `accept` is told its id before anything is sealed, and may raise."""

    def __init__(
        self,
        sources: Sequence[Source],
        vault: Vault,
        keys: KeyService,
        *,
        prefix: str,
        accept: Callable[[str], None] = lambda _: None,
        read_back: bool = False,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._sources, self._vault, self._keys, self._accept = sources, vault, keys, accept
        self._part_bytes, self._read_back = part_bytes, read_back
        self._prefix = f"{prefix}{secrets.token_hex(8)}/"
        self._counts = [count_parts(source.size, part_bytes) for source in sources]
        self._places = [(at, number) for at, count in enumerate(self._counts) for number in range(count)]
        self._hashed: list[Hashed] = []
        self._sealed: list[Part] = []
        self._checked = 0
        self._batches = 0
        self._recorded = (0, 0, 0)
        self._unrecorded_bytes = 0
        self._key = new_data_key()
        self._key_is_kept = False
        self._dataset: Finished | None = None

    def advance(self, more: Callable[[], bool]) -> Finished | None:
        """Go on with the work while `more()`, by at least one piece; the dataset once it is sealed.

        Raises what sources, vault, key service and `accept` raise, and SealingError for a file that changed.
        """
        self._load()
        try:
            while work := self._next():
                self._unrecorded_bytes += work()
                last = self._next() is None
                if self._unrecorded_bytes >= self._part_bytes or (last and self._batches):
                    self._record()
                if not more() and self._next():
                    self._record()
                    return None
        except RETRYABLE:
            self._record()
            raise
        return self._finished()

    # --- the work, piece by piece: each gives the number of bytes that it went through ----------

    def _next(self) -> Callable[[], int] | None:
        if len(self._hashed) < len(self._sources):
            return self._hash
        if len(self._sealed) < len(self._places):
            return self._seal
        if self._read_back and self._checked < len(self._places):
            return self._check
        return None

    def _hash(self) -> int:
        at = len(self._hashed)
        source, count = self._sources[at], self._counts[at]
        whole = hashlib.sha256()
        with source.open(0) as reader:
            # The only part of a file is the file.
            others = [whole.update] if count > 1 else []
            parts = tuple(_hashed(reader, self._part_bytes, others) for _ in range(count))
            reader.read(1)  # The end: a reader that compares a checksum does it here.
        self._hashed.append(Hashed(f"sha256:{whole.hexdigest()}" if others else parts[0].sha256, parts))
        return source.size

    def _seal(self) -> int:
        at, number = self._places[len(self._sealed)]
        source, count = self._sources[at], self._counts[at]
        dataset = self._id
        if not self._sealed:
            self._accept(dataset)
        place = associated_data(dataset, source.path, number, count)
        name = f"{self._prefix}part-{len(self._sealed):05d}"
        start, plain = number * self._part_bytes, self._hashed[at].parts[number]
        with source.open(start) as reader, self._vault.writer(name) as writer:
            found = seal(reader, writer, self._key, place, limit=self._part_bytes, digest=False)
        if (found.size, found.crc32c) != (plain.size, plain.crc32c):
            raise SealingError(
                f"part {number + 1} of {count} of {source.path}",
                got=f"{found.size} bytes, crc32c {found.crc32c}",
                expected=f"{plain.size} bytes, crc32c {plain.crc32c}, as when it was hashed",
                remedy="the file changed while it was sealed: seal it again",
            )
        part = Part(name, found.size, plain.sha256, found.sealed_size, found.sealed_sha256)
        self._sealed.append(part)
        return part.size

    def _check(self) -> int:
        at, number = self._places[self._checked]
        dataset = self._finished()
        part = dataset.files[at].parts[number]
        with self._vault.reader(part.object) as reader:
            open_part(reader, _Nothing(), dataset.key, dataset, dataset.files[at], number)
        self._checked += 1
        return part.size

    # --- what was done -------------------------------------------------------------------------

    def _load(self) -> None:
        kept = self._vault.find(_KEY)
        if kept is not None:
            self._take_key(kept)
        while data := self._vault.find(_batch(self._batches)):
            self._take(data)

    def _record(self) -> None:
        """Record what is new. What another process recorded first counts; ours was for nothing then."""
        hashed, sealed, checked = self._recorded
        if len(self._sealed) > sealed and not self._key_is_kept:
            own = self._key.serialize()
            kept = self._vault.keep(_KEY, msgspec.json.encode(self._keys.wrap(own, self._id)))
            self._take_key(kept)
            if self._key.serialize() != own:
                del self._sealed[sealed:]
                self._checked = checked
        new = Batch(tuple(self._hashed[hashed:]), tuple(self._sealed[sealed:]), self._checked - checked)
        if new != Batch():
            stands = self._vault.keep(_batch(self._batches), msgspec.json.encode(new))
            del self._hashed[hashed:], self._sealed[sealed:]
            self._checked = checked
            self._take(stands)
        self._unrecorded_bytes = 0

    def _take(self, data: bytes) -> None:
        batch = msgspec.json.decode(data, type=Batch)
        self._hashed += batch.hashed
        self._sealed += batch.sealed
        self._checked += batch.checked
        self._recorded = len(self._hashed), len(self._sealed), self._checked
        self._batches += 1
        self._dataset = None

    def _take_key(self, kept: bytes) -> None:
        self._key = DataKey.parse(self._keys.unwrap(msgspec.json.decode(kept, type=WrappedKey)))
        self._key_is_kept = True
        self._dataset = None

    @cached_property
    def _id(self) -> str:
        """The dataset's id; asked for only when every file is hashed, which nothing changes any more."""
        return dataset_id(
            (source.path, source.size, hashed.sha256)
            for source, hashed in zip(self._sources, self._hashed, strict=True)
        )

    def _finished(self) -> Finished:
        if self._dataset is None:
            parts = iter(self._sealed)
            files = tuple(
                SealedFile(source.path, source.size, hashed.sha256, tuple(next(parts) for _ in range(count)))
                for source, hashed, count in zip(self._sources, self._hashed, self._counts, strict=True)
            )
            self._dataset = Finished(self._id, files, self._key)
        return self._dataset


def _hashed(reader: Reader, limit: int, others: Sequence[Callable[[bytes], None]]) -> Plain:
    """Hash the reader's next bytes, at most `limit`, and give them to the others as well."""
    with Ahead(reader.read, limit) as source, Meter() as here, ExitStack() as ended:
        lanes = [here, *(ended.enter_context(Lane(other)) for other in others)]
        while piece := source.take():
            for lane in lanes:
                lane.put(piece)
        for lane in lanes:
            lane.finish()
        return Plain(here.size, here.sha256(), here.crc32c())


def _batch(number: int) -> str:
    return f"{number:05d}.json"


class _Nothing:
    """A writer for what is only to be compared."""

    def write(self, data: bytes, /) -> int:
        return len(data)
