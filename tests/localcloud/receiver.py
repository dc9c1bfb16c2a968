"""An HTTP receiver that remembers what it got and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """`url` is where it listens; `answers` are the next statuses (200 when there are none left)."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []  # (headers, JSON body)
        self.answers: list[int] = []
        self.url = ""

    def messages(self) -> list[Any]:
        """The Pub/Sub messages that came."""
        return [body["message"] for _, body in self.requests if body]  # a cut request has none


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for the length of a test."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            receiver.requests.append((dict(self.headers), json.loads(raw) if raw else None))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
