"""HTTP connections to any address, kept open between requests.

Rules: a connection serves one request at a time; one that its server has closed meanwhile is not used
again, so no request is ever sent twice; name, route and port failures are told apart from a break.
"""

from __future__ import annotations

import http.client
import select
import threading
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from .host import ConnectionBroken, ConnectionRefused, HttpRequest, HttpResponse, RequestTimedOut

_IDLE_AT_MOST = 32
Connection = http.client.HTTPConnection


class Connections:
    """The idle connections of one host, by address."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._lock = threading.Lock()

    def send(self, request: HttpRequest, headers: dict[str, str]) -> HttpResponse:
        """Send a request with these headers. Raises an HttpFailure when no response comes."""
        parts = urlsplit(request.url)
        address = (parts.scheme, parts.netloc)
        connection = self._take(address) or _opened(parts, request)
        if connection.sock is not None:
            connection.sock.settimeout(request.timeout)
        try:
            connection.request(request.method, _target(parts, request), request.body, headers)
            response = connection.getresponse()
            body = response.read()
        except TimeoutError:
            connection.close()
            raise RequestTimedOut(f"no response within {request.timeout} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionBroken(f"the connection to {parts.netloc} broke: {error}") from None
        if response.will_close:
            connection.close()
        else:
            self._give_back(address, connection)
        return HttpResponse(response.status, _headers(response), body)

    def _take(self, address: tuple[str, str]) -> Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(address)
                connection = idle.pop() if idle else None
            if connection is None or _is_open(connection):
                return connection
            connection.close()

    def _give_back(self, address: tuple[str, str], connection: Connection) -> None:
        with self._lock:
            idle = self._idle.setdefault(address, [])
            if len(idle) < _IDLE_AT_MOST:
                idle.append(connection)
                return
        connection.close()


def _is_open(connection: Connection) -> bool:
    # An idle connection has nothing to read, unless its server has closed it.
    return connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]


def _opened(parts: SplitResult, request: HttpRequest) -> Connection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=request.timeout)
        connection.connect()
    except TimeoutError:
        raise RequestTimedOut(f"no connection within {request.timeout} seconds") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConnectionRefused(f"no connection to {request.url}: {error}") from None
    return connection


def _target(parts: SplitResult, request: HttpRequest) -> str:
    query = "&".join(filter(None, (parts.query, urlencode(request.query))))
    return urlunsplit(("", "", parts.path or "/", query, ""))


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
