"""Sealing one part and opening it."""

import base64
import gc
import hashlib
import io
import json
import tracemalloc
from typing import NoReturn

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.sealing import (
    PART_BYTES,
    DataKey,
    Sealed,
    SealingError,
    associated_data,
    count_parts,
    new_data_key,
    open_,
    seal,
)

KEY = new_data_key()
PLACE = associated_data("sha256:aa", "data.csv", 0, 1)
SEGMENT = 1024 * 1024


def sealed(plain: bytes, place: bytes = PLACE, key: DataKey = KEY) -> bytes:
    out = io.BytesIO()
    seal(io.BytesIO(plain), out, key, place)
    return out.getvalue()


def opened(ciphertext: bytes, place: bytes = PLACE, key: DataKey = KEY) -> bytes:
    out = io.BytesIO()
    open_(io.BytesIO(ciphertext), out, key, place)
    return out.getvalue()


def crc32c(data: bytes) -> str:
    value: int = google_crc32c.value(data)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=4096))
def test_whatever_is_sealed_opens_again(plain: bytes) -> None:
    """Opening gives exactly the bytes that were sealed, the empty file among them."""
    assert opened(sealed(plain)) == plain


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 7])
def test_both_sides_are_measured_while_they_pass(size: int) -> None:
    """Seal and open report the same sizes and digests as the bytes really have."""
    plain = hashlib.shake_256(b"seed").digest(size)
    there, back = io.BytesIO(), io.BytesIO()
    report = seal(io.BytesIO(plain), there, KEY, PLACE)
    assert open_(io.BytesIO(there.getvalue()), back, KEY, PLACE) == report
    ciphertext = there.getvalue()
    assert report == Sealed(
        size=size,
        sha256=f"sha256:{hashlib.sha256(plain).hexdigest()}",
        crc32c=crc32c(plain),
        sealed_size=len(ciphertext),
        sealed_sha256=f"sha256:{hashlib.sha256(ciphertext).hexdigest()}",
        sealed_crc32c=crc32c(ciphertext),
    )
    assert back.getvalue() == plain


def test_who_knows_the_digest_gets_size_and_checksum() -> None:
    """Without the digest of the plaintext, all else is measured, and the part opens as ever."""
    plain, out = bytes(2 * SEGMENT), io.BytesIO()
    report = seal(io.BytesIO(plain), out, KEY, PLACE, digest=False)
    assert (report.size, report.sha256, report.crc32c) == (len(plain), "", crc32c(plain))
    assert opened(out.getvalue()) == plain


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.data())
def test_any_flipped_bit_is_refused(plain: bytes, data: st.DataObject) -> None:
    """One changed bit anywhere in a sealed part gives our error and no bytes of another text."""
    damaged = bytearray(sealed(plain))
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealingError):
        opened(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.data())
def test_any_truncation_is_refused(plain: bytes, data: st.DataObject) -> None:
    """A sealed part cut anywhere gives our error."""
    ciphertext = sealed(plain)
    with pytest.raises(SealingError):
        opened(ciphertext[: data.draw(st.integers(0, len(ciphertext) - 1))])


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=1, max_size=64))
def test_trailing_bytes_are_refused(plain: bytes, tail: bytes) -> None:
    """Bytes after the end of a sealed part give our error."""
    with pytest.raises(SealingError):
        opened(sealed(plain) + tail)


@pytest.mark.parametrize("cut", [SEGMENT, 2 * SEGMENT, 2 * SEGMENT + 1])
def test_a_part_cut_between_segments_is_refused(cut: int) -> None:
    """Dropping whole segments from the end is noticed though each that is left is intact."""
    with pytest.raises(SealingError):
        opened(sealed(bytes(3 * SEGMENT))[:cut])


@pytest.mark.parametrize(
    "elsewhere",
    [
        associated_data("sha256:bb", "data.csv", 0, 1),
        associated_data("sha256:aa", "other.csv", 0, 1),
        associated_data("sha256:aa", "data.csv", 0, 2),
        associated_data("sha256:aa", "data.csv", 1, 2),
        b"",
    ],
)
def test_a_part_opens_only_in_its_place(elsewhere: bytes) -> None:
    """A part moved to another dataset, path, number or count is refused."""
    with pytest.raises(SealingError, match="sealed part"):
        opened(sealed(b"rows"), place=elsewhere)


def test_another_key_does_not_open() -> None:
    """A part sealed with one key is refused under another."""
    with pytest.raises(SealingError):
        opened(sealed(b"rows"), key=new_data_key())


@settings(max_examples=60, deadline=None)
@given(*[st.tuples(st.text(), st.text(), st.integers(0, 9)) for _ in range(2)])
def test_two_places_never_share_associated_data(
    one: tuple[str, str, int], two: tuple[str, str, int]
) -> None:
    """Associated data is injective: names cannot be chosen so that two places look alike."""
    same = associated_data(*one, 10) == associated_data(*two, 10)
    assert same == (one == two)


@pytest.mark.parametrize(("part", "count"), [(-1, 1), (1, 1), (0, 0)])
def test_a_part_outside_its_count_is_refused(part: int, count: int) -> None:
    """A part number that cannot be is refused, naming it."""
    with pytest.raises(SealingError, match=f"{part} of {count}"):
        associated_data("id", "path", part, count)


def test_seal_takes_one_part_and_leaves_the_rest() -> None:
    """With a limit, calls one after another seal a stream part by part."""
    source, plain = io.BytesIO(b"0123456789"), b""
    for part in range(count_parts(10, 4)):
        out = io.BytesIO()
        place = associated_data("id", "f", part, 3)
        assert seal(source, out, KEY, place, limit=4).size == (4, 4, 2)[part]
        plain += opened(out.getvalue(), place)
    assert plain == b"0123456789"


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 1), (PART_BYTES, 1), (PART_BYTES + 1, 2)])
def test_parts_are_counted(size: int, count: int) -> None:
    """Every file has at least one part, and none is larger than 256 MB."""
    assert count_parts(size) == count


class Breaking(io.RawIOBase):
    """A reader and writer that fails after some bytes."""

    def __init__(self, after: int, content: bytes = bytes(8 * SEGMENT)) -> None:
        self.left = after
        self.content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        if self.left <= 0:
            self.fail()
        self.left -= size
        return self.content.read(size)

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        if self.left <= 0:
            self.fail()
        self.left -= len(data)
        return len(data)

    def fail(self) -> NoReturn:
        raise ConnectionResetError("line down")


def test_a_failing_reader_never_leaves_a_valid_shorter_part() -> None:
    """When the source breaks, its error passes and what was written does not open."""
    out = io.BytesIO()
    with pytest.raises(ConnectionResetError):
        seal(Breaking(2 * SEGMENT), out, KEY, PLACE)
    gc.collect()
    with pytest.raises(SealingError):
        opened(out.getvalue())


def test_a_failing_writer_passes_its_own_error() -> None:
    """When the destination breaks while sealing or opening, its own error is raised."""
    with pytest.raises(ConnectionResetError):
        seal(io.BytesIO(bytes(3 * SEGMENT)), Breaking(SEGMENT), KEY, PLACE)
    with pytest.raises(ConnectionResetError):
        open_(io.BytesIO(sealed(bytes(3 * SEGMENT))), Breaking(SEGMENT), KEY, PLACE)


def test_a_failing_source_passes_its_own_error_while_opening() -> None:
    """A broken download is not reported as a bad part."""
    with pytest.raises(ConnectionResetError):
        open_(Breaking(SEGMENT, sealed(bytes(3 * SEGMENT))), io.BytesIO(), KEY, PLACE)


class Zeros:
    """A long source and sink that holds nothing."""

    def __init__(self, size: int = 0) -> None:
        self.left = size

    def read(self, size: int = -1, /) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

    def write(self, data: bytes, /) -> int:
        return len(data)


def test_memory_stays_flat() -> None:
    """Sealing 48 MB holds a few segments at a time, not the part."""
    tracemalloc.start()
    seal(Zeros(48 * SEGMENT), Zeros(), KEY, PLACE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * SEGMENT


def test_associated_data_is_canonical_json() -> None:
    """The form is fixed: another program can build it from this line."""
    assert json.loads(PLACE) == {
        "scheme": "sealtrain.part.v1",
        "dataset": "sha256:aa",
        "path": "data.csv",
        "part": 0,
        "count": 1,
    }
    assert PLACE.startswith(b'{"count":1,"dataset":"sha256:aa","part":0,')
