"""HTTP/1.1 as `wire` reads it, beside Python's own client, however the octets come in."""

from __future__ import annotations

import http.client
import io
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.workflows.wire import Answer, Malformed, written

LONGEST = 1000


class Pieces:
    """A socket that gives these pieces, one at a time, and then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter([piece for piece in pieces if piece])

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def recv(self, _: int) -> bytes:
        return next(self._pieces, b"")

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(b"".join(self._pieces))


def answer(pieces: list[bytes], timeout: float = 60) -> Answer:
    socket: Any = Pieces(pieces)
    return Answer(socket, timeout, LONGEST)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """The octets of one well-formed answer, framed in one of the three ways."""
    body = draw(st.binary(max_size=60))
    headers = draw(st.lists(st.sampled_from(["A: 1", "a: 2", "B:  é ", "C:", "Connection: close"])))
    kind = draw(st.sampled_from(["length", "chunked", "until the end"]))
    if kind == "length":
        headers.append(f"content-length: {len(body)}")
    elif kind == "chunked":
        headers.append("Transfer-Encoding: chunked")
        size = draw(st.integers(1, 20))
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in parts)
        body += b"0\r\n" + draw(st.sampled_from([b"", b"T: 1\r\n"])) + b"\r\n"
    # Python's client reads a chunked body of a 204, which has none.
    bodiless = [] if kind == "chunked" else ["204 No Content", "304 -"]
    status = draw(st.sampled_from(["200 OK", "404 ", "503", *bodiless]))
    first = draw(st.sampled_from(["", "HTTP/1.1 100 Continue\r\n\r\n"])) + f"HTTP/1.1 {status}"
    return "\r\n".join([first, *headers, "\r\n"]).encode("latin-1") + body


@given(answers(), st.lists(st.integers(0, 400), max_size=8), st.sampled_from(["GET", "HEAD"]))
@settings(max_examples=150)
def test_an_answer_is_what_python_s_client_reads(octets: bytes, cuts: list[int], method: str) -> None:
    """Status, headers and body are the same, wherever the octets are cut."""
    places = [0, *sorted(cuts), len(octets)]
    pieces = [octets[start:end] for start, end in pairwise(places)]
    got = answer(pieces).read(method)
    whole: Any = Pieces([octets])
    expected = http.client.HTTPResponse(whole, method=method)
    expected.begin()
    headers: dict[str, str] = {}
    for name, value in expected.getheaders():
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    assert (got.status, got.headers, got.body) == (expected.status, headers, expected.read())


SCRAPS = [b"HTTP/1.1 200 OK", b"HTTP/1.0 101 X", b"\r\n", b"\n", b"A: b", b":", b"0", b"5", b"abc", b"\xff"]
FRAMES = [b"Content-Length: 3", b"Transfer-Encoding: chunked"]


@given(st.lists(st.sampled_from(SCRAPS + FRAMES)))
@settings(max_examples=150)
def test_any_octets_are_an_answer_or_malformed(pieces: list[bytes]) -> None:
    """Nothing else comes of them, and no more of a body than was asked for."""
    with suppress(Malformed):
        assert len(answer([SCRAPS[0], *pieces]).read("GET").body) <= LONGEST


@pytest.mark.parametrize(
    ("octets", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 204 No\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close\r\n\r\na", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", False),
        (b"HTTP/1.1 200 OK\r\n\r\na", False),
        (b"HTTP/1.1 101 X\r\n\r\n", False),
        (b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nxx", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na" * 2, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"a" * 1000, False),
    ],
)
def test_a_connection_is_used_again_only_when_nothing_is_left_on_it(octets: bytes, reusable: bool) -> None:
    """Not after a close, an older version, a body without an end or too long, or octets too many."""
    got = answer([octets])
    assert len(got.read("GET").body) <= LONGEST
    assert got.reusable is reusable


@pytest.mark.parametrize("frames", [b"1;" + b"x" * 60_000 + b"\r\na\r\n", b"T: " + b"y" * 60_000 + b"\r\n"])
def test_frames_without_a_body_end(frames: bytes) -> None:
    """Extensions of chunks and trailers are read no further than a body of the longest would need."""
    begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    begun += b"0\r\n" if frames.startswith(b"T") else b""
    with pytest.raises(Malformed):
        answer([begun, *[frames] * 100]).read("GET")


def test_the_timeout_is_the_whole_answer_s() -> None:
    """Octets that drip in do not begin it anew."""
    with pytest.raises(TimeoutError):
        answer([b"HTTP/1.1 200 OK\r\n"], timeout=0).read("GET")


def test_a_request_names_its_host_and_length_unless_told() -> None:
    """A header of the caller's replaces the usual one; a POST has a length; nothing breaks a line."""
    assert written("GET", "/a", "b:1", {"X": "é"}, None) == (
        b"GET /a HTTP/1.1\r\nHost: b:1\r\nAccept-Encoding: identity\r\nX: \xe9\r\n\r\n"
    )
    assert written("POST", "/", "b", {"host": "c", "accept-encoding": "gzip"}, None) == (
        b"POST / HTTP/1.1\r\nContent-Length: 0\r\nhost: c\r\naccept-encoding: gzip\r\n\r\n"
    )
    for line in ({"A": "b\r\nC: d"}, {"A\0": "b"}, {"A": "日"}):
        with pytest.raises(ValueError, match=r"control character|latin-1"):
            written("GET", "/", "b", line, None)
    with pytest.raises(ValueError, match="space"):
        written("GET", "/a b", "b", {}, None)
    assert written("PUT", "/", "b", {}, b"xy").endswith(b"Content-Length: 2\r\n\r\nxy")
