"""A metadata server: how a program on Google Cloud learns who it is.

One server per identity on a loopback port of its own (`GCE_METADATA_HOST` is a host and a port, no path). It
answers what Google's client libraries and the Confidential Space launcher ask. As on Google, a request
without `Metadata-Flavor: Google` or with `X-Forwarded-For` is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from localcloud.identity.serving import Serving

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@dataclass(frozen=True)
class Identity:
    """What one metadata server tells. Token sources are called for each request."""

    email: str
    project: str
    number: str
    region: str
    access_token: Callable[[], tuple[str, int]]  # (token, seconds it still lives)
    id_token: Callable[[str], str]  # audience -> token
    attributes: Mapping[str, str] = field(default_factory=dict)
    instance: Mapping[str, str] = field(default_factory=dict)  # "id", "name", "zone", …


class MetadataServer:
    """Serves one identity on 127.0.0.1; `address` is "127.0.0.1:PORT"."""

    def __init__(self, identity: Identity) -> None:
        handler = type("Handler", (_Handler,), {"identity": identity})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        self.address = f"127.0.0.1:{server.server_address[1]}"
        self._serving = Serving(server, "metadata")

    def close(self) -> None:
        """Stop serving."""
        self._serving.stop()


class _Handler(BaseHTTPRequestHandler):
    identity: Identity
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = url.path.removeprefix("/computeMetadata/v1").strip("/")
        if path and self.headers.get("Metadata-Flavor") != "Google":
            return self._send(403, "Missing Metadata-Flavor:Google header.")
        if self.headers.get("X-Forwarded-For"):
            return self._send(403, "Request was forwarded.")
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        answer = self._answer(path, query)
        if answer is None:
            return self._send(404, "Not found")
        if isinstance(answer, str):
            return self._send(200, answer)
        return self._send(200, json.dumps(answer), "application/json")

    def _answer(self, path: str, query: dict[str, str]) -> str | dict[str, object] | None:
        who = self.identity
        account = f"instance/service-accounts/{who.email}"
        path = path.replace("instance/service-accounts/default", account)
        if path == f"{account}/token":
            token, lifetime = who.access_token()
            return {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}
        if path == f"{account}/identity":
            return who.id_token(query["audience"]) if query.get("audience") else None
        if path == account:
            if query.get("recursive") == "true":
                return {"aliases": ["default"], "email": who.email, "scopes": SCOPES}
            return "aliases\nemail\nidentity\nscopes\ntoken\n"
        if path.startswith("instance/attributes/"):
            return who.attributes.get(path.removeprefix("instance/attributes/"))
        plain = {
            "": "computeMetadata/\n",
            "project/project-id": who.project,
            "project/numeric-project-id": who.number,
            "universe/universe-domain": "googleapis.com",
            "instance/region": f"projects/{who.number}/regions/{who.region}",
            f"{account}/email": who.email,
            f"{account}/scopes": "\n".join(SCOPES) + "\n",
        }
        for key, value in who.instance.items():
            plain[f"instance/{key}"] = value
        return plain.get(path)

    def _send(self, status: int, text: str, kind: str = "application/text") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the platform does not log these."""
