"""The launcher's socket: how the workload asks for attestation tokens.

HTTP over a unix socket. `GET /v1/token` gives the default token (OIDC, audience of the token exchange);
`POST /v1/token` {"audience", "token_type", "nonces"} gives one as asked. The answer is the token as text.
"""

from __future__ import annotations

import json
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from localcloud.identity.serving import Serving
from localcloud.machine.attest import Attester
from localcloud.machine.link import LinkError

DEFAULT_AUDIENCE = "https://sts.googleapis.com"
_TYPES = ("OIDC", "PKI")
_MAX_BODY = 1 << 20


class RequestError(Exception):
    """The workload's request is wrong; the message says how."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Agent:
    """Serves tokens on `socket`."""

    def __init__(self, socket: Path, attester: Attester) -> None:
        handler = type("Handler", (_Handler,), {"attester": attester})
        self._serving = Serving(_Server(str(socket), handler), "agent")

    def close(self) -> None:
        """Stop serving."""
        self._serving.stop()


class _Handler(BaseHTTPRequestHandler):
    attester: Attester

    def do_GET(self) -> None:
        self._serve(DEFAULT_AUDIENCE, "OIDC", [])

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        try:
            audience, token_type, nonces = parse(self.rfile.read(min(length, _MAX_BODY)))
        except RequestError as error:
            return self._send(400, str(error))
        return self._serve(audience, token_type, nonces)

    def _serve(self, audience: str, token_type: str, nonces: list[str]) -> None:
        if self.path != "/v1/token":
            return self._send(404, f"{self.path}: only /v1/token is imitated")
        try:
            return self._send(200, self.attester.token(audience, token_type, nonces))
        except LinkError as error:
            status = error.status if 400 <= error.status < 500 else 500
            return self._send(status, f"failed to retrieve attestation service token: {error}")

    def _send(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def parse(body: bytes) -> tuple[str, str, list[str]]:
    """(audience, token type, nonces) of a request. Raises RequestError."""
    try:
        request: Any = json.loads(body)
    except ValueError as error:
        raise RequestError(f"failed to parse request: {error}") from error
    if not isinstance(request, dict) or set(request) - {"audience", "token_type", "nonces"}:
        raise RequestError("request: expected an object with audience, token_type and nonces")
    audience, nonces = request.get("audience"), request.get("nonces") or []
    token_type = request.get("token_type")
    if not isinstance(audience, str) or not audience:
        raise RequestError("audience: use GET for the default token; a custom token needs an audience")
    if token_type not in _TYPES:
        raise RequestError(f"token_type: got {token_type!r}, expected one of {_TYPES}")
    if not isinstance(nonces, list) or not all(isinstance(nonce, str) for nonce in nonces):
        raise RequestError("nonces: expected a list of strings")
    return audience, token_type, nonces
