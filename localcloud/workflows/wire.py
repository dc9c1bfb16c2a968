"""HTTP/1.1 on one open socket: a request out, its answer in.

Rules (RFC 9112): the head ends at an empty line; a body is chunked, as long as Content-Length says, or lasts
until the connection closes; an answer to HEAD, 204 and 304 have none. The timeout counts for the whole
answer, however slowly it drips. Of a body no more is read than shows that it is too long. What breaks
these rules, or ends too early, is Malformed.
"""

from __future__ import annotations

import re
import socket
import time

from .host import HttpResponse

_RECEIVED = 65_536
_HEAD_BYTES, _HEADERS, _INTERIM = 65_536, 100, 100  # of one answer, at most
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: .*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LINE_END = re.compile(rb"\r?\n")
_TRAILER = re.compile(rb"([^\r\n]*)\r?\n")
_LENGTH = re.compile(r"[0-9]{1,15}")
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
        self._octets, self._at = b"", 0  # received, and read up to here
        self.reusable = False

    def read(self, method: str) -> HttpResponse:
        """The answer to a request of this method. Raises Malformed, TimeoutError or OSError."""
        for _ in range(_INTERIM):
            version, status, headers = self._head()
            if status >= 200 or status == 101:
                break
        else:
            raise Malformed("it goes on and on without an answer")
        lower = {name.lower(): value for name, value in headers.items()}
        if method == "HEAD" or status in (101, 204, 304):
            body, whole = b"", status != 101
        elif "transfer-encoding" in lower:
            body, whole = self._chunks(lower["transfer-encoding"])
        elif "content-length" in lower:
            body, whole = self._counted(lower["content-length"])
        else:
            body, whole = self._rest(), False
        closes = version == "0" or "close" in lower.get("connection", "").lower()
        self.reusable = whole and not closes and self._at == len(self._octets)
        return HttpResponse(status, headers, body)

    def _head(self) -> tuple[str, int, dict[str, str]]:
        while (end := _HEAD_END.search(self._octets, self._at)) is None:
            self._more(within=_HEAD_BYTES)
        head = self._octets[self._at : end.start()]
        if len(head) > _HEAD_BYTES:
            raise Malformed(f"its head is longer than {_HEAD_BYTES} bytes")
        lines = head.decode("latin-1").split("\n")
        self._at = end.end()
        status = _STATUS.fullmatch(lines[0].rstrip("\r"))
        if status is None:
            raise Malformed(f"it begins with {lines[0][:60]!r}")
        if len(lines) > _HEADERS:
            raise Malformed(f"it has more than {_HEADERS} headers")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise Malformed(f"it has a header {line[:60]!r}")
            text = value.strip()
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        return status[1], int(status[2]), headers

    def _counted(self, length: str) -> tuple[bytes, bool]:
        values = {part.strip() for part in length.split(",")}
        only = values.pop()
        if values or not _LENGTH.fullmatch(only):
            raise Malformed(f"its Content-Length is {length[:60]!r}")
        size = int(only)
        return self._take(min(size, self._longest)), size <= self._longest

    def _chunks(self, coding: str) -> tuple[bytes, bool]:
        if coding.strip().lower() != "chunked":
            raise Malformed(f"its Transfer-Encoding is {coding[:60]!r}")
        pieces, left = [], self._longest
        while size := int(self._matched(_CHUNK)[1], 16):
            pieces.append(self._take(min(size, left)))
            left -= len(pieces[-1])
            if not left:
                return b"".join(pieces), False
            self._matched(_LINE_END)
        while self._matched(_TRAILER)[1]:
            continue
        return b"".join(pieces), True

    def _matched(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """What comes next, which is a line of this pattern."""
        while self._octets.find(b"\n", self._at) < 0:
            self._more(within=_HEAD_BYTES)
        found = pattern.match(self._octets, self._at)
        if found is None:
            raise Malformed(f"it has a chunk {self._octets[self._at : self._at + 60]!r}")
        self._at = found.end()
        return found

    def _take(self, size: int) -> bytes:
        pieces = [self._octets[self._at : self._at + size]]
        self._at += len(pieces[0])
        left = size - len(pieces[0])
        while left:
            self._more()
            pieces.append(self._octets[self._at : self._at + left])
            self._at += len(pieces[-1])
            left -= len(pieces[-1])
        return b"".join(pieces)

    def _rest(self) -> bytes:
        pieces = [self._octets[self._at :]]
        held = len(pieces[0])
        while held < self._longest and (piece := self._received()):
            pieces.append(piece)
            held += len(piece)
        return b"".join(pieces)[: self._longest]

    def _more(self, within: int | None = None) -> None:
        """Receive more; what waits to be understood stays within so many bytes."""
        waiting = self._octets[self._at :]
        if within is not None and len(waiting) > within:
            raise Malformed(f"it has a head or line of more than {within} bytes")
        octets = self._received()
        if not octets:
            raise Malformed("it ends too early")
        self._octets, self._at = waiting + octets, 0

    def _received(self) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv(_RECEIVED)
