"""Lanes: work on the pieces of a stream beside each other."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.sealing.lanes import PIECE_BYTES, Ahead, Lane

PIECES = [bytes([n]) * PIECE_BYTES for n in range(5)]


class Source:
    """Gives its bytes as they are asked for, then an error if there is one."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        self.data, self.error = data, error

    def read(self, size: int) -> bytes:
        if not self.data and self.error is not None:
            raise self.error
        given, self.data = self.data[:size], self.data[size:]
        return given


def test_a_lane_takes_every_piece_in_order_and_leaves_no_thread() -> None:
    """Whatever ran beside, the act saw all pieces in their order, and its thread is gone after the block."""
    seen: list[bytes] = []
    before = threading.active_count()
    with Lane(seen.append) as lane:
        for piece in PIECES:
            lane.put(piece)
        assert threading.active_count() == before + 1
        lane.finish()
        assert seen == PIECES
    assert threading.active_count() == before


def test_little_takes_no_thread() -> None:
    """The first megabyte is done at once."""
    seen: list[bytes] = []
    before = threading.active_count()
    with Lane(seen.append) as lane, Ahead(Source(b"ab").read, 10) as ahead:
        lane.put(ahead.take())
        assert (seen, ahead.take(), threading.active_count()) == ([b"ab"], b"", before)


def test_after_a_failure_nothing_more_is_done_and_it_is_told() -> None:
    """The act is not called again; the error comes out at a later piece or at the end."""
    seen: list[bytes] = []

    def fail(piece: bytes) -> None:
        seen.append(piece)
        if piece == PIECES[2]:
            raise ConnectionResetError("line down")

    def all_of_them() -> None:
        with Lane(fail) as lane:
            for piece in PIECES * 3:
                lane.put(piece)
            lane.finish()

    with pytest.raises(ConnectionResetError):
        all_of_them()
    assert seen == PIECES[:3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3 * PIECE_BYTES + 5), st.integers(0, 3 * PIECE_BYTES))
def test_reading_ahead_gives_the_bytes_up_to_the_limit_and_takes_no_more(size: int, limit: int) -> None:
    """What comes is what was there; the rest is left to whoever reads next; after the end comes the end."""
    data = bytes(size)
    source = Source(data)
    with Ahead(source.read, limit) as ahead:
        got = b"".join(iter(ahead.take, b""))
        assert ahead.take() == b""
    assert (got, source.data) == (data[:limit], data[limit:])


def test_a_reader_that_breaks_is_told_after_its_bytes() -> None:
    """The pieces before the failure come out first."""
    with Ahead(Source(PIECES[0] * 3, ConnectionResetError("line down")).read, 10**9) as ahead:
        assert [len(ahead.take()) for _ in range(3)] == [PIECE_BYTES] * 3
        with pytest.raises(ConnectionResetError):
            ahead.take()
