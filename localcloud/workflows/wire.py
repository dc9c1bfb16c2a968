"""HTTP/1.1 on one open socket: a request out, its answer in. The parser is httptools (llhttp).

Rules (RFC 9112): an answer to HEAD, 204 and 304 has no body; a body without a length lasts until the
connection closes. The timeout counts for the whole answer, however slowly it drips. Of a body no more is read
than shows that it is too long, of a head and of what frames a body no more than a limit. What breaks these
rules, or ends too early, is Malformed.
"""

from __future__ import annotations

import re
import socket
import time

import httptools

from .host import HttpResponse

_RECEIVED = 65_536
_HEAD_BYTES, _HEADERS, _INTERIM = 65_536, 100, 100  # of one answer, at most
_FRAMING = 8  # octets on the wire for one of a body: as much as chunks of one take, with a little more
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})


class Malformed(Exception):  # noqa: N818  # the caller's names tell what it is for a workflow
    """The answer is no whole HTTP/1.1."""


def written(method: str, target: str, authority: str, headers: dict[str, str], body: bytes | None) -> bytes:
    """The request's octets. ValueError for a line that would not stay one, or is not of Latin-1."""
    given = {name.lower() for name in headers}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {authority}")
    if "accept-encoding" not in given:
        lines.append("Accept-Encoding: identity")
    if "content-length" not in given and (body is not None or method in _BODY_EXPECTED):
        lines.append(f"Content-Length: {len(body or b'')}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if " " in target or any(_CONTROL.search(line) for line in lines):
        raise ValueError("a control character in a request's head, or a space in its target")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b"")


class Answer:
    """The answer that comes in on a socket. `reusable` once read: another request may follow."""

    def __init__(self, sock: socket.socket, timeout: float, longest: int) -> None:
        self._sock = sock
        self._deadline = time.monotonic() + timeout
        self._longest = longest
        self.reusable = False

    def read(self, method: str) -> HttpResponse:
        """The answer to a request of this method. Raises Malformed, TimeoutError or OSError."""
        got = _Message(method, self._longest)
        received = 0
        while not got.whole and got.left:
            octets = self._received()
            if not octets:
                got.end()
                break
            received += len(octets)
            got.feed(octets)
            if not got.opened and received > _HEAD_BYTES:
                raise Malformed(f"its head is longer than {_HEAD_BYTES} bytes")
            if received > _HEAD_BYTES + _RECEIVED + _FRAMING * self._longest:
                raise Malformed("it has more frames than body")
        self.reusable = got.reusable
        return HttpResponse(got.status, got.headers, b"".join(got.body))

    def _received(self) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv(_RECEIVED)


class _Message:
    """What the parser told of one answer so far; the `on_…` are called by it."""

    def __init__(self, method: str, longest: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._to_head = method == "HEAD"
        self._broken = ""
        self._lines: list[tuple[bytes, bytes]] = []
        self._interim = 0
        self._framed = False  # by a length or in chunks: it does not end with the connection
        self.status, self.headers, self.body, self.left = 0, dict[str, str](), list[bytes](), longest
        self.opened = self.whole = self.reusable = False  # opened: its head is over

    def feed(self, octets: bytes) -> None:
        try:
            self._parser.feed_data(octets)
        except httptools.HttpParserUpgrade:
            self.reusable = False  # another protocol follows
        except httptools.HttpParserError as error:
            if not self.whole:
                raise Malformed(str(error)) from None
        if self._broken:
            raise Malformed(self._broken)

    def end(self) -> None:
        """The connection closed: right for a body without a length, else too early."""
        if not self.opened or self._framed:
            raise Malformed("it ends too early")

    def on_message_begin(self) -> None:
        if self.whole:
            self.reusable = False  # octets that nobody asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.opened:  # else it is a trailer
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        if self.whole:
            return
        self.status = self._parser.get_status_code()
        self.opened = self.status >= 200 or self.status == 101
        self._interim += not self.opened
        if self._interim > _INTERIM:
            self._broken = "it goes on and on without an answer"
        if self.opened:
            self._read_headers()
        if self.opened and self._to_head:
            self.on_message_complete()

    def _read_headers(self) -> None:
        size = sum(len(name) + len(value) for name, value in self._lines)
        if len(self._lines) > _HEADERS or size > _HEAD_BYTES:
            self._broken = f"it has more than {_HEADERS} headers, or {_HEAD_BYTES} bytes of them"
            return
        for name, value in self._lines:
            key, text = name.decode("latin-1"), value.decode("latin-1").strip()
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text
            lower = key.lower()
            self._framed |= lower in ("content-length", "transfer-encoding")
            if lower == "transfer-encoding" and text.lower() != "chunked":
                self._broken = f"its Transfer-Encoding is {text[:60]!r}"

    def on_body(self, octets: bytes) -> None:
        if self.whole or len(octets) > self.left:
            self.reusable = False
        if not self.whole:
            self.body.append(octets[: self.left])
            self.left -= len(self.body[-1])

    def on_message_complete(self) -> None:
        if self.opened and not self.whole and self.left:
            self.whole = True
            self.reusable = self._parser.should_keep_alive() and self.status != 101
        elif not self.opened:
            self._lines.clear()
