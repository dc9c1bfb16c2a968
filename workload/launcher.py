"""Attestation tokens from the launcher, over its unix socket.

The launcher measures this VM and this image and has Google sign the result; we choose the audience
and the nonces. A token's bytes are never logged.
"""

import http.client
import json
import socket
from typing import Literal

from workload.errors import WorkloadError

SOCKET = "/run/container_launcher/teeserver.sock"
_TIMEOUT_S = 60
_MAX_TOKEN_BYTES = 256 * 1024


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def token(socket_path: str, audience: str, kind: Literal["OIDC", "PKI"], nonce: str) -> str:
    """Ask for a fresh token. Raises WorkloadError when the launcher gives none."""
    asked = json.dumps({"audience": audience, "token_type": kind, "nonces": [nonce]})
    connection = _UnixConnection(socket_path)
    try:
        connection.request("POST", "/v1/token", asked, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read(_MAX_TOKEN_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        detail = f"no launcher at {socket_path}: {type(error).__name__}"
        raise WorkloadError("attestation_failed", detail) from error
    finally:
        connection.close()
    if answer.status != 200 or len(body) > _MAX_TOKEN_BYTES:
        detail = f"launcher answered {answer.status} with {len(body)} bytes"
        raise WorkloadError("attestation_failed", detail)
    return body.decode("ascii", "replace").strip()
