"""A storage on the loopback that costs little beside its client: as much of Cloud Storage as sealing uses.

Simple and resumable uploads, and downloads from any byte on. Objects stand in memory; CRC32C is all that is
computed, because clients compare it. No permissions, conditions, keys or events: the stand-in has them, and
MD5 and SHA-256 of every object, which take more time than the sealing that is to be measured.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import google_crc32c

_PIECE = 1 << 20


class Stored:
    """An object's bytes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = self._crc32c = 0

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        self.pieces.append(piece)
        self.size += len(piece)
        self._crc32c = google_crc32c.extend(self._crc32c, piece)

    def described(self, name: str) -> dict[str, Any]:
        """What a client is told of it."""
        crc32c = b64encode(self._crc32c.to_bytes(4, "big")).decode()
        return {"name": name, "generation": "1", "size": str(self.size), "crc32c": crc32c}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Stored] = {}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        """Begin an upload, or take a small object with its metadata before it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = parse_qs(urlsplit(self.path).query)
        if asked["uploadType"] == ["resumable"]:
            name = str(json.loads(body)["name"])
            self.server.objects[name] = Stored()
            where = f"http://{self.headers['Host']}{self.path}&upload_id={quote(name)}"
            self._answer(200, {}, Location=where)
            return
        boundary = re.findall(r"boundary=\"?([^\";]+)", self.headers["Content-Type"])[0].encode()
        _, metadata, content = (part.partition(b"\r\n\r\n")[2] for part in body.split(b"--" + boundary)[:3])
        name = str(json.loads(metadata)["name"])
        self.server.objects[name] = stored = Stored()
        stored.add(content[:-2])
        self._answer(200, stored.described(name))

    def do_PUT(self) -> None:
        """Take the next bytes of an upload; an answer 308 asks for more."""
        name = parse_qs(urlsplit(self.path).query)["upload_id"][0]
        left, stored = int(self.headers["Content-Length"]), self.server.objects[name]
        while left > 0:
            piece = self.rfile.read(min(left, _PIECE))
            stored.add(piece)
            left -= len(piece)
        if self.headers["Content-Range"].endswith("*"):
            self._answer(308, None, Range=f"bytes=0-{stored.size - 1}")
        else:
            self._answer(200, stored.described(name))

    def do_GET(self) -> None:
        """Give an object's bytes."""
        stored = self.server.objects.get(unquote(urlsplit(self.path).path.partition("/o/")[2]))
        if stored is None:
            self._answer(404, {})
            return
        start = int(re.findall(r"\d+", self.headers.get("Range", "0"))[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(stored.size - start))
        self.end_headers()
        for piece in stored.pieces:
            if start < len(piece):
                self.wfile.write(piece[start:])
            start = max(0, start - len(piece))

    def _answer(self, status: int, body: dict[str, Any] | None, **headers: str) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def started() -> Iterator[str]:
    """A storage in a process of its own; its address."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"  # type: ignore[union-attr]
        finally:
            process.terminate()


def main() -> None:
    """Serve until ended."""
    server = _Server()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
