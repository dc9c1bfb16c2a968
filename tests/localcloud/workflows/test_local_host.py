"""The host of the command line against a server on the loopback."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from localcloud.workflows import (
    ConnectionBroken,
    ConnectionRefused,
    CredentialsMissing,
    HttpRequest,
    RequestTimedOut,
)
from localcloud.workflows.limits import RESPONSE_BYTES
from localcloud.workflows.local_host import LocalHost


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        told = {
            "path": self.path,
            "body": self.rfile.read(length).decode(),
            "authorization": self.headers.get("Authorization"),
        }
        self._answer(201, json.dumps(told).encode())

    def do_GET(self) -> None:
        if self.path.startswith("/computeMetadata/"):
            assert self.headers["Metadata-Flavor"] == "Google"
            body = f"identity for {self.path}" if "/identity?" in self.path else '{"access_token": "t"}'
            self._answer(200, body.encode())
        elif self.path.startswith("/refuses"):
            self._answer(403, b"no")
        elif self.path == "/keeps-then-closes":
            self.protocol_version = "HTTP/1.1"
            self._answer(200, b"kept")
            self.close_connection = True
        elif self.path == "/hangs":
            self.server.held.wait(10)  # type: ignore[attr-defined]
        else:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Twice", "a")
        self.send_header("X-Twice", "b")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    running.daemon_threads = True
    running.held = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{running.server_address[1]}"
    running.held.set()  # type: ignore[attr-defined]
    running.shutdown()
    running.server_close()


@pytest.fixture
def local() -> LocalHost:
    return LocalHost("flow", {})


def test_a_request_is_sent_with_query_and_body(local: LocalHost, server: str) -> None:
    """The query joins the one of the address; a header that comes twice is joined."""
    request = HttpRequest("POST", f"http://{server}/a?b=1", query=[("c", "2 3")], body=b"hello")
    response = local.http(request)
    told = json.loads(response.body)
    assert (response.status, told["path"], told["body"]) == (201, "/a?b=1&c=2+3", "hello")
    assert response.headers["X-Twice"] == "a, b"


def test_nobody_listening_is_a_refused_connection(local: LocalHost) -> None:
    """A closed port fails at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionRefused):
        local.http(HttpRequest("GET", f"http://127.0.0.1:{port}/"))


def test_a_connection_that_closes_is_broken(local: LocalHost, server: str) -> None:
    """A server that hangs up without an answer is a broken connection."""
    with pytest.raises(ConnectionBroken):
        local.http(HttpRequest("GET", f"http://{server}/closes"))


def test_a_connection_its_server_has_closed_is_not_used_again(local: LocalHost, server: str) -> None:
    """The next request opens a new connection instead of failing on the old one."""
    for _ in range(3):
        assert local.http(HttpRequest("GET", f"http://{server}/keeps-then-closes")).body == b"kept"


def test_no_answer_in_time_is_a_timeout(local: LocalHost, server: str) -> None:
    """The timeout of the request is kept."""
    with pytest.raises(RequestTimedOut):
        local.http(HttpRequest("GET", f"http://{server}/hangs", timeout=0.2))


def test_tokens_come_from_the_metadata_server(
    local: LocalHost, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OIDC asks for an identity with the audience, OAuth2 for an access token."""
    monkeypatch.setenv("GCE_METADATA_HOST", server)
    identity = local.http(
        HttpRequest("POST", f"http://{server}/", auth={"type": "OIDC", "audience": "http://x"})
    )
    access = local.http(HttpRequest("POST", f"http://{server}/", auth={"type": "OAuth2", "scopes": ["s"]}))
    assert "audience=http%3A%2F%2Fx" in json.loads(identity.body)["authorization"]
    assert json.loads(access.body)["authorization"] == "Bearer t"


def test_without_a_metadata_server_there_are_no_credentials(
    local: LocalHost, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request with auth fails before it is sent."""
    monkeypatch.delenv("GCE_METADATA_HOST", raising=False)
    with pytest.raises(CredentialsMissing, match="GCE_METADATA_HOST"):
        local.http(HttpRequest("POST", f"http://{server}/", auth={"type": "OIDC", "audience": "x"}))


@pytest.mark.parametrize("answer", ["refused", "closed"])
def test_a_metadata_server_that_fails_is_no_credentials(
    local: LocalHost, server: str, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Neither a refusal nor a broken connection of the metadata server passes for a token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("GCE_METADATA_HOST", f"{server}/refuses" if answer == "refused" else closed)
    with pytest.raises(CredentialsMissing, match="the metadata server"):
        local.http(HttpRequest("POST", f"http://{server}/", auth={"type": "OIDC", "audience": "x"}))


def test_the_clock_is_the_real_one_and_the_variables_are_the_platform_s(local: LocalHost) -> None:
    """Waiting for a time gone by returns at once; the platform's variables are there."""
    before = local.now()
    local.sleep_until(before - 1)
    assert local.now() >= before
    assert local.env("GOOGLE_CLOUD_WORKFLOW_ID") == "flow"
    assert local.env("NONE") is None
    assert local.new_uuid() != local.new_uuid()


def test_a_wait_for_a_callback_ends(local: LocalHost) -> None:
    """Without a request the wait gives None."""
    callback = local.create_callback("POST")
    assert local.await_callback(callback, 0.01) is None


@pytest.mark.parametrize(
    ("content_type", "sent", "read"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/json", b"{", "{"),
        ("text/plain", b"hello", "hello"),
        ("text/plain", b"", None),
    ],
)
def test_a_callback_reads_json_and_gives_the_rest_as_text(
    local: LocalHost, content_type: str, sent: bytes, read: Any
) -> None:
    """Its body is a value if it is JSON and says so, else the text; none is null."""
    callback = local.create_callback("POST")
    answer = requests.post(callback["url"], data=sent, headers={"Content-Type": content_type}, timeout=10)
    got = local.await_callback(callback, 5)
    assert answer.status_code == 200
    assert got is not None
    assert got["http_request"]["body"] == read


def test_an_https_address_is_spoken_to_in_tls(local: LocalHost, server: str) -> None:
    """A server that does not speak it is no connection."""
    with pytest.raises(ConnectionRefused, match="SSL"):
        local.http(HttpRequest("GET", f"https://{server}/", timeout=5))


_OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def _answering(octets: bytes) -> Iterator[tuple[str, list[socket.socket]]]:
    """The address of a server that answers whatever comes with these octets, and its connections."""
    listener, taken = socket.create_server(("127.0.0.1", 0)), list[socket.socket]()

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(connection)
                connection.recv(65_536)
                connection.sendall(octets)
                connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", taken
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for each in (listener, *taken):
            each.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 99 X\r\n\r\n",
        _OK + b"A: b\r\n" * 200 + b"\r\n",
        _OK + b"A: " + b"x" * 70_000 + b"\r\n\r\n",
        _OK + b"Content-Length: 100\r\n\r\nabc",
        _OK + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\nabc",
        _OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 140_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
        b"HTTP/1.1 200 OK" + b"x" * 140_000,
        _OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffff\r\nabc",
    ],
)
def test_no_whole_answer_is_a_broken_connection(local: LocalHost, octets: bytes) -> None:
    """What is no HTTP, has too many or too long headers, or ends before its end, is told as a break."""
    with _answering(octets) as (url, _), pytest.raises(ConnectionBroken):
        local.http(HttpRequest("GET", url, timeout=5))


def test_of_a_long_answer_the_limit_and_one_byte_are_read(local: LocalHost) -> None:
    """An answer of 3 MB is read as far as shows that it is too long; one without a length too."""
    for head in (b"Content-Length: 3000000\r\n", b""):
        with _answering(_OK + head + b"\r\n" + bytes(3_000_000)) as (url, _):
            assert len(local.http(HttpRequest("GET", url, timeout=5)).body) == RESPONSE_BYTES + 1


def test_idle_connections_do_not_pile_up(local: LocalHost) -> None:
    """A POST takes no kept connection; after thirty of them no more than twenty are open."""
    with _answering(_OK + b"Content-Length: 0\r\n\r\n") as (url, taken):
        for _ in range(30):
            local.http(HttpRequest("POST", url, timeout=5))
        assert len(taken) == 30
        closed = [one for one in taken if select.select([one], [], [], 0)[0]]
    assert len(closed) == 10


@pytest.mark.parametrize("header", [{"A": "b\r\nC: d"}, {"A\0": "b"}, {"A": "日"}])
def test_what_cannot_be_a_header_is_not_sent(local: LocalHost, server: str, header: dict[str, str]) -> None:
    """No line is smuggled into a request."""
    with pytest.raises(ConnectionRefused):
        local.http(HttpRequest("GET", server, headers=header, timeout=5))
