"""Changes of bytes as accidents and attackers make them; the same for the same random source."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

ODD_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
ODD_BYTES = b'\x00\xff.{}[]",:=\n\r -_+/e0\\\x80\xed'
LONGEST_INSERT = 64


def mutated(data: bytes, source: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Give the data changed in one to four places."""
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        data = source.choice(CHANGES)(data, source)
        if others and source.random() < 0.05:
            data = _splice(data, source.choice(others), source)
    return data


def _place(data: bytes, source: random.Random) -> int:
    return source.randrange(len(data)) if data else 0


def _flip(data: bytes, source: random.Random) -> bytes:
    if not data:
        return b"\x01"
    at = _place(data, source)
    return data[:at] + bytes([data[at] ^ (1 << source.randrange(8))]) + data[at + 1 :]


def _set(data: bytes, source: random.Random) -> bytes:
    at = _place(data, source)
    value = source.choice(ODD_BYTES) if source.random() < 0.5 else source.randrange(256)
    return data[:at] + bytes([value]) + data[at + 1 :]


def _cut(data: bytes, source: random.Random) -> bytes:
    at = _place(data, source)
    return data[:at] if source.random() < 0.7 else data[at:]


def _delete(data: bytes, source: random.Random) -> bytes:
    at = _place(data, source)
    return data[:at] + data[at + source.randrange(1, LONGEST_INSERT) :]


def _insert(data: bytes, source: random.Random) -> bytes:
    at = _place(data, source)
    return data[:at] + source.randbytes(source.randrange(1, LONGEST_INSERT)) + data[at:]


def _repeat(data: bytes, source: random.Random) -> bytes:
    at = _place(data, source)
    piece = data[at : at + source.randrange(1, LONGEST_INSERT)]
    return data[:at] + piece * source.randrange(2, 5) + data[at:]


def _number(data: bytes, source: random.Random) -> bytes:
    at, form = _place(data, source), source.choice(("<H", "<I", ">H", ">I"))
    limit = 0xFFFF if form[1] == "H" else 0xFFFFFFFF
    value = struct.pack(form, source.choice(ODD_NUMBERS) & limit)
    return data[:at] + value + data[at + len(value) :]


def _swap(data: bytes, source: random.Random) -> bytes:
    one, two = sorted((_place(data, source), _place(data, source)))
    size = min(source.randrange(1, LONGEST_INSERT), two - one)
    return (
        data[:one]
        + data[two : two + size]
        + data[one + size : two]
        + data[one : one + size]
        + data[two + size :]
    )


def _fill(data: bytes, source: random.Random) -> bytes:
    at, size = _place(data, source), source.randrange(1, LONGEST_INSERT)
    return data[:at] + source.choice((b"\0", b"\xff", b"A")) * size + data[at + size :]


def _splice(data: bytes, other: bytes, source: random.Random) -> bytes:
    at, there = _place(data, source), _place(other, source)
    return data[:at] + other[there:]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _flip,
    _set,
    _cut,
    _delete,
    _insert,
    _repeat,
    _number,
    _swap,
    _fill,
)
