"""HTTP connections to any address, kept open between requests.

Rules: a connection serves one request at a time. A kept connection may have been closed by its server,
so only a request that may be sent twice (GET, HEAD, OPTIONS, PUT, DELETE) takes one, and is sent once
more on a new connection when the kept one breaks. Name, route and port failures are told apart from a break.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from functools import cache
from urllib.parse import SplitResult, urlencode, urlsplit

from . import limits
from .host import ConnectionBroken, ConnectionRefused, HttpRequest, HttpResponse, RequestTimedOut
from .wire import Answer, Malformed, written

_MOST_IDLE = 20  # connections to one address
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class Connections:
    """The idle connections of one host, by address; none is kept where `most_idle` is 0."""

    def __init__(self, most_idle: int = _MOST_IDLE) -> None:
        self._most_idle = most_idle
        self._idle: dict[tuple[str, str], list[socket.socket]] = {}
        self._lock = threading.Lock()

    def send(self, request: HttpRequest, headers: dict[str, str]) -> HttpResponse:
        """Send a request with these headers. Raises an HttpFailure when no response comes."""
        try:
            parts = urlsplit(request.url)
            octets = _written(parts, request, headers)
        except ValueError as error:
            raise ConnectionRefused(f"{request.url}: {error}") from None
        kept = self._take(parts) if request.method in _REPEATABLE else None
        if kept is not None:
            # When it breaks, its server has most likely closed it meanwhile; a new one tells.
            with suppress(ConnectionBroken):
                return self._exchange(kept, parts, request, octets)
        return self._exchange(_opened(parts, request), parts, request, octets)

    def _exchange(
        self, connection: socket.socket, parts: SplitResult, request: HttpRequest, octets: bytes
    ) -> HttpResponse:
        answer = Answer(connection, request.timeout, limits.RESPONSE_BYTES + 1)
        try:
            connection.settimeout(request.timeout)
            connection.sendall(octets)
            response = answer.read(request.method)
        except TimeoutError:
            raise RequestTimedOut(f"no response within {request.timeout} seconds") from None
        except (OSError, Malformed) as error:
            raise ConnectionBroken(f"the connection to {parts.netloc} broke: {error}") from None
        finally:
            if not (answer.reusable and self._keep(parts, connection)):
                connection.close()
        return response

    def _keep(self, parts: SplitResult, connection: socket.socket) -> bool:
        with self._lock:
            idle = self._idle.setdefault((parts.scheme, parts.netloc), [])
            room = len(idle) < self._most_idle
            if room:
                idle.append(connection)
            return room

    def _take(self, parts: SplitResult) -> socket.socket | None:
        with self._lock:
            idle = self._idle.get((parts.scheme, parts.netloc))
            return idle.pop() if idle else None


def _opened(parts: SplitResult, request: HttpRequest) -> socket.socket:
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        place = (host, parts.port or (443 if secure else 80))
        connection = socket.create_connection(place, timeout=request.timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _trusted().wrap_socket(connection, server_hostname=host) if secure else connection
    except (OSError, ValueError) as error:
        failure = RequestTimedOut if isinstance(error, TimeoutError) else ConnectionRefused
        raise failure(f"no connection to {request.url}: {error}") from None


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


def _written(parts: SplitResult, request: HttpRequest, headers: dict[str, str]) -> bytes:
    authority = parts.netloc.rpartition("@")[2]
    return written(request.method, _target(parts, request), authority, headers, request.body)


def _target(parts: SplitResult, request: HttpRequest) -> str:
    query = parts.query
    if request.query:
        query = "&".join(filter(None, (query, urlencode(request.query))))
    return f"{parts.path or '/'}?{query}" if query else parts.path or "/"
