"""A vault, a key service and sources in memory, with processes that die and lines that break."""

import io
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from sealtrain.rules.errors import UnavailableError
from sealtrain.sealing import Part, WrappedKey
from sealtrain.sealing.session import Finished, Session


class DiedError(Exception):
    """The process died here."""


class Vault:
    """Objects and records; `dies_at` ends the process at the n-th write, `breaks_at` the line."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.records: dict[str, bytes] = {}
        self.writes = 0
        self.dies_at = self.breaks_at = 0

    def find(self, name: str) -> bytes | None:
        return self.records.get(name)

    def keep(self, name: str, data: bytes) -> bytes:
        self._count()
        return self.records.setdefault(name, data)

    @contextmanager
    def writer(self, name: str) -> Iterator[io.BytesIO]:
        buffer = io.BytesIO()
        yield buffer
        self._count()
        assert name not in self.objects
        self.objects[name] = buffer.getvalue()

    @contextmanager
    def reader(self, name: str) -> Iterator[io.BytesIO]:
        yield io.BytesIO(self.objects[name])

    def fetch(self, part: Part) -> "contextmanager[io.BytesIO]":  # type: ignore[type-arg]
        return self.reader(part.object)  # type: ignore[return-value]

    def _count(self) -> None:
        self.writes += 1
        if self.writes == self.dies_at:
            raise DiedError
        if self.writes == self.breaks_at:
            raise UnavailableError("line down")


class Keys:
    """Wraps by turning the bytes round; refuses another associated data."""

    def wrap(self, secret: bytes, associated_data: str) -> WrappedKey:
        return WrappedKey("key", "key/1", b64encode(secret[::-1]).decode(), associated_data)

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        return b64decode(wrapped.wrapped)[::-1]


class Plain:
    """A source in memory."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data

    @property
    def size(self) -> int:
        return len(self.data)

    @contextmanager
    def open(self, offset: int) -> Iterator[io.BytesIO]:
        yield io.BytesIO(self.data[offset:])


def session(vault: Vault, files: dict[str, bytes], part_bytes: int = 10, read_back: bool = False) -> Session:
    """A session over files in memory."""
    sources = [Plain(path, data) for path, data in files.items()]
    return Session(sources, vault, Keys(), prefix="data/", read_back=read_back, part_bytes=part_bytes)


def sealed(vault: Vault, files: dict[str, bytes], part_bytes: int = 10) -> Finished:
    """The files, sealed in one go."""
    found = session(vault, files, part_bytes).advance(lambda: True)
    assert found is not None
    return found
