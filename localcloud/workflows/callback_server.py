"""Callback URLs on the loopback: a small HTTP server, started with the first URL.

Rules: a URL takes requests of its one method (405 otherwise, 404 for an unknown URL); each request
waits in line until it is awaited.
"""

from __future__ import annotations

import json
import queue
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Received = dict[str, Any]


class CallbackServer:
    """The callbacks of one process."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, queue.Queue[Received]]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()

    def create(self, method: str) -> str:
        """A new URL that takes the method."""
        path = f"/callbacks/{uuid.uuid4()}"
        with self._lock:
            if self._server is None:
                self._server = _start(self)
            self._lines[path] = (method, queue.Queue())
            return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def wait(self, url: str, timeout: float) -> Received | None:
        """The next request to the URL; None when none comes within the seconds."""
        _, line = self._lines[urlsplit(url).path]
        try:
            # The platform's wait is bounded by what a lock can wait for, a wait here by a year.
            return line.get(timeout=min(timeout, threading.TIMEOUT_MAX))
        except queue.Empty:
            return None

    def deliver(self, method: str, received: Received) -> int:
        """Put a request in its line; the HTTP status to answer with."""
        expected, line = self._lines.get(urlsplit(received["url"]).path, ("", None))
        if line is None:
            return 404
        if method != expected:
            return 405
        line.put(
            {
                "http_request": received,
                "received_time": datetime.now(UTC).isoformat(),
                "type": "HTTP",
            }
        )
        return 200


def _start(callbacks: CallbackServer) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            received = {
                "method": self.command,
                "url": self.path,
                "query": {
                    name: values[0] if len(values) == 1 else values
                    for name, values in parse_qs(urlsplit(self.path).query).items()
                },
                "headers": dict(self.headers.items()),
                "body": _body(self.rfile.read(length), self.headers.get_content_type()),
            }
            self.send_response(callbacks.deliver(self.command, received))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Standard error belongs to the workflow."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _body(octets: bytes, content_type: str) -> Any:
    if not octets:
        return None
    text = octets.decode("utf-8", "replace")
    if content_type != "application/json":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
