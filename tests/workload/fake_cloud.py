"""A small in-test cloud: just what the workload calls, with real encryption and no permissions.

Everything it was sent is kept, so that a test can look at the state that resulted. Faults are data.
"""

import base64
import hashlib
import json
import os
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workload.cloud import crc32c_of

ACCOUNT_TOKEN = "the-vms-own-account"
ATTESTED_TOKEN = "the-attested-principal"
_OPENED_BY_THE_ATTESTED = ("/v1/release-key:decrypt", "/v1/checkpoint-key:decrypt")
_CLOSED_BY_THE_ACCOUNT = ("/v1/owner-key:encrypt", "/v1/checkpoint-key:encrypt")


@dataclass
class Fault:
    """Answer `status` to the next `times` requests whose path holds `path`.

    `done`: an upload is done all the same, and only its answer is lost.
    """

    path: str
    status: int
    times: int = 1
    done: bool = False


@dataclass
class World:
    """What the cloud holds."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    asked_tokens: list[dict[str, Any]] = field(default_factory=list)
    exchanged: list[dict[str, Any]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    instance_id: str = "4242"
    kms: AESGCM = field(default_factory=lambda: AESGCM(bytes(32)))

    def wrap(self, plaintext: bytes, bound_to: bytes) -> bytes:
        """Encrypt as KMS does: whoever decrypts needs the same associated data."""
        nonce = os.urandom(12)
        return nonce + self.kms.encrypt(nonce, plaintext, bound_to)

    def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """Decrypt what `wrap` made. Raises InvalidTag."""
        return self.kms.decrypt(wrapped[:12], wrapped[12:], bound_to)

    def issue(self, asked: dict[str, Any]) -> str:
        """Make a token that looks like the attestation service's."""
        self.asked_tokens.append(asked)
        claims = {
            "aud": asked["audience"],
            "eat_nonce": asked["nonces"],
            "submods": {"gce": {"instance_id": self.instance_id}},
        }
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        self.issued.append(f"e30.{payload}.c2ln{len(self.issued)}")
        return self.issued[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def world(self) -> World:
        world: World = self.server.world  # type: ignore[attr-defined]
        return world

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def address_string(self) -> str:
        return "unix"

    def answer(self, status: int, body: bytes | dict[str, Any] = b"") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            raise AssertionError("an upload without a length")
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.world.bodies.append(data)
        return data

    def faulty(self, done: bool = False) -> bool:
        for fault in self.world.faults:
            if fault.times and fault.done == done and fault.path in unquote(self.path):
                fault.times -= 1
                if not done:
                    self.body()
                self.answer(fault.status, {})
                return True
        return False

    def bearer(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/computeMetadata/"):
            self.metadata(url.path)
            return
        if self.faulty():
            return
        pieces = url.path.split("/")
        key = (pieces[4], unquote(pieces[6]))
        data = self.world.objects.get(key)
        if self.bearer() != ACCOUNT_TOKEN:
            self.answer(401)
        elif data is None:
            self.answer(404)
        elif "alt=media" in url.query:
            self.world.reads.append(key[1])
            self.answer(200, data)
        else:
            self.answer(200, {"crc32c": crc32c_of(data)})

    def metadata(self, path: str) -> None:
        if path.endswith("/token"):
            self.answer(200, {"access_token": ACCOUNT_TOKEN, "expires_in": 3600, "token_type": "B"})
        else:
            self.answer(200, {"email": "workload@example.invalid", "scopes": [], "aliases": []})

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        if self.server.address_family.name == "AF_UNIX":
            self.answer(200, self.world.issue(json.loads(self.body())).encode())
        elif self.faulty():
            return
        elif url.path.startswith("/upload/"):
            self.upload(url.path.split("/")[5], parse_qs(url.query))
        else:
            self.call(url.path, json.loads(self.body()))

    def upload(self, bucket: str, query: dict[str, list[str]]) -> None:
        data = self.body()
        key = (bucket, query["name"][0])
        if key in self.world.objects:
            self.answer(412)
            return
        self.world.objects[key] = data
        if not self.faulty(done=True):
            self.answer(200, {"crc32c": crc32c_of(data)})

    def call(self, path: str, asked: dict[str, Any]) -> None:
        world, bearer = self.world, self.bearer()
        bound_to = base64.b64decode(asked.get("additionalAuthenticatedData", ""))
        if path == "/v1/token":
            world.exchanged.append(asked)
            known = asked["subjectToken"] == world.issued[-1]
            self.answer(200 if known else 400, {"access_token": ATTESTED_TOKEN})
        elif path in _OPENED_BY_THE_ATTESTED and bearer == ATTESTED_TOKEN:
            try:
                plain = world.unwrap(base64.b64decode(asked["ciphertext"]), bound_to)
            except InvalidTag:
                self.answer(400)
                return
            self.answer(200, {"plaintext": base64.b64encode(plain).decode()})
        elif path in _CLOSED_BY_THE_ACCOUNT and bearer == ACCOUNT_TOKEN:
            wrapped = world.wrap(base64.b64decode(asked["plaintext"]), bound_to)
            ciphertext = base64.b64encode(wrapped).decode()
            key = path.removeprefix("/v1/").removesuffix(":encrypt")
            self.answer(200, {"ciphertext": ciphertext, "name": f"{key}/1"})
        elif path == "/v1/projects/p/topics/events:publish" and bearer == ACCOUNT_TOKEN:
            sent = base64.b64decode(asked["messages"][0]["data"])
            world.messages.append(json.loads(sent))
            self.answer(200, {"messageIds": ["1"]})
        else:
            self.answer(403)


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, world: World) -> None:
        super().__init__(path, _Handler)
        self.world = world


class _TcpServer(ThreadingHTTPServer):
    def __init__(self, world: World) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.world = world


class FakeCloud:
    """Both doors of a world: HTTP on the loopback and the launcher's socket. A context manager."""

    def __init__(self, socket_path: Path) -> None:
        self.world = World()
        self._servers = (_TcpServer(self.world), _UnixServer(str(socket_path), self.world))
        self.address = f"127.0.0.1:{self._servers[0].server_port}"
        self.environment = {
            "SEALTRAIN_ENDPOINT": f"http://{self.address}",
            "SEALTRAIN_LAUNCHER_SOCKET": str(socket_path),
            "GCE_METADATA_HOST": self.address,
        }

    def __enter__(self) -> "FakeCloud":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def sha256(data: bytes) -> str:
    """`sha256:…` of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
