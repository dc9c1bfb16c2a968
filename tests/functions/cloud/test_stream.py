"""Tests of `cloud.stream` against a server that breaks off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from sealtrain.cloud import stream
from sealtrain.cloud.stream import ObjectStream, Pieces
from sealtrain.rules.errors import NotFoundError, UnavailableError

DATA = bytes(range(256)) * 12_000  # about three pieces


class Server(ThreadingHTTPServer):
    """Serves DATA; `plan` says of each request in turn how many bytes it gets before the line breaks."""

    def __init__(self, plan: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.asked = plan, list[tuple[str, str]]()


class Handler(BaseHTTPRequestHandler):
    """One request; a negative plan is a status to answer with."""

    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append((asked, self.path.partition("?")[2]))
        cut = self.server.plan.pop(0) if self.server.plan else len(DATA)
        start = int(asked[6:-1]) if asked else 0
        status = 416 if start >= len(DATA) else -cut if cut < 0 else 206 if asked else 200
        body = DATA[start:] if cut >= 0 and status != 416 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-goog-generation", "77")
        self.end_headers()
        self.wfile.write(body[: max(cut, 0)])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose plan the test writes; nobody waits between two tries."""
    monkeypatch.setattr(stream, "_PAUSES_S", (0.0,) * 3)
    with Server([]) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def opened(server: Server, start: int = 0) -> ObjectStream:
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    return ObjectStream(requests.Session(), origin, "b", "a/ü", None, start)


def test_a_stream_goes_on_where_the_line_broke(server: Server) -> None:
    """A piece that came whole is not asked for again, and the first answer's generation goes on."""
    server.plan = [1_500_000, 1_200_000, 3]
    reader, got = opened(server), b""
    while piece := reader.read(70_000):
        got += piece
    assert got == DATA
    begins = [asked for asked, _ in server.asked]
    assert begins[0] == ""
    assert begins[1:] == ["bytes=1048576-", "bytes=2097152-", "bytes=2097152-"]
    assert all("generation=77" in query for _, query in server.asked[1:])


@pytest.mark.parametrize("start", [0, 1, 5000, len(DATA), len(DATA) + 1])
def test_a_stream_begins_where_it_is_asked_to(server: Server, start: int) -> None:
    """From the middle, and nothing from behind the end."""
    assert opened(server, start).read() == DATA[start:]


def test_a_line_that_stays_broken_is_told(server: Server) -> None:
    """A few tries, then the error; busy and broken servers are tried again, a missing object is not."""
    server.plan = [-503] * 9
    with pytest.raises(UnavailableError):
        opened(server).read(1)
    assert len(server.asked) == 4
    server.plan = [-404]
    with pytest.raises(NotFoundError):
        opened(server).read(1)
    server.plan = [-429, -500]
    assert opened(server).read(3) == DATA[:3]


def test_what_is_written_is_read_by_another_thread_in_chunks() -> None:
    """Pieces of any size come out in chunks of the size asked for, the last one shorter, and are counted."""
    with Pieces(most=10) as pieces, ThreadPoolExecutor(1) as other:
        chunks = other.submit(lambda: list(iter(lambda: pieces.read(8), b"")))
        for size in (1, 30, 0, 7, 5):
            pieces.write(b"x" * size)
        pieces.end()
        assert [len(chunk) for chunk in chunks.result(10)] == [8, 8, 8, 8, 8, 3]
    assert pieces.tell() == 43


def test_who_writes_waits_for_room_and_hears_of_a_failure() -> None:
    """More than is wanted does not pile up; once the upload failed, writing raises what it raised."""
    with Pieces(most=10) as pieces, ThreadPoolExecutor(2) as others:
        pieces.write(b"x" * 10)
        writing = others.submit(pieces.write, b"more")
        with pytest.raises(TimeoutError):
            writing.result(0.05)
        others.submit(lambda: 1 / 0).add_done_callback(pieces.stop)
        with pytest.raises(ZeroDivisionError):
            writing.result(10)


def test_an_upload_whose_writer_gave_up_is_never_finished() -> None:
    """The reading side is told by an error, not by an end."""
    with ThreadPoolExecutor(1) as other:
        with Pieces(most=10) as pieces:
            reading = other.submit(pieces.read, 8)
            pieces.write(b"x")
        with pytest.raises(BrokenPipeError):
            reading.result(10)
