"""HTTP connections to any address, kept open between requests.

Rules: a connection serves one request at a time. A kept connection may have been closed by its server,
so only a request that may be sent twice (GET, HEAD, OPTIONS, PUT, DELETE) takes one, and is sent once
more on a new connection when the kept one breaks. Name, route and port failures are told apart from a break.
Of a body no more is read than shows that it is too long.
"""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from . import limits
from .host import ConnectionBroken, ConnectionRefused, HttpRequest, HttpResponse, RequestTimedOut

_MOST_IDLE = 20  # connections to one address
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
Connection = http.client.HTTPConnection


class Connections:
    """The idle connections of one host, by address."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._lock = threading.Lock()

    def send(self, request: HttpRequest, headers: dict[str, str]) -> HttpResponse:
        """Send a request with these headers. Raises an HttpFailure when no response comes."""
        parts = urlsplit(request.url)
        kept = self._take(parts) if request.method in _REPEATABLE else None
        if kept is not None:
            # When it breaks, its server has most likely closed it meanwhile; a new one tells.
            with suppress(ConnectionBroken):
                return self._exchange(kept, parts, request, headers)
        return self._exchange(_opened(parts, request), parts, request, headers)

    def _exchange(
        self, connection: Connection, parts: SplitResult, request: HttpRequest, headers: dict[str, str]
    ) -> HttpResponse:
        if connection.sock.gettimeout() != request.timeout:
            connection.sock.settimeout(request.timeout)
        try:
            connection.request(request.method, _target(parts, request), request.body, headers)
            response = connection.getresponse()
            body = response.read(limits.RESPONSE_BYTES + 1)
        except TimeoutError:
            connection.close()
            raise RequestTimedOut(f"no response within {request.timeout} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionBroken(f"the connection to {parts.netloc} broke: {error}") from None
        if response.length and len(body) <= limits.RESPONSE_BYTES:
            connection.close()
            missing = f"{response.length} bytes are missing"
            raise ConnectionBroken(f"the connection to {parts.netloc} broke: {missing}")
        if response.will_close or not response.isclosed() or not self._keep(parts, connection):
            connection.close()
        return HttpResponse(response.status, _headers(response), body)

    def _keep(self, parts: SplitResult, connection: Connection) -> bool:
        with self._lock:
            idle = self._idle.setdefault((parts.scheme, parts.netloc), [])
            room = len(idle) < _MOST_IDLE
            if room:
                idle.append(connection)
            return room

    def _take(self, parts: SplitResult) -> Connection | None:
        with self._lock:
            idle = self._idle.get((parts.scheme, parts.netloc))
            return idle.pop() if idle else None


def _opened(parts: SplitResult, request: HttpRequest) -> Connection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=request.timeout)
        connection.connect()
    except (OSError, http.client.HTTPException, ValueError) as error:
        failure = RequestTimedOut if isinstance(error, TimeoutError) else ConnectionRefused
        raise failure(f"no connection to {request.url}: {error}") from None
    return connection


def _target(parts: SplitResult, request: HttpRequest) -> str:
    query = "&".join(filter(None, (parts.query, urlencode(request.query))))
    return urlunsplit(("", "", parts.path or "/", query, ""))


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
