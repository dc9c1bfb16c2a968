"""The machine's line to the cloud around it: tokens of its service account, and calls of Google's APIs.

Every request finds the stand-in's address anew, and is tried again for a while when nobody answers: the
stand-in may be restarting. What is answered, also a refusal, is passed on.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import jwt

from localcloud.machine.told import Told

PATIENCE_S = 60.0
_RENEW_BEFORE_S = 300


class LinkError(Exception):
    """The cloud refused; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Link:
    """Calls on behalf of one machine. Thread-safe."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._token, self._renew_at = "", 0.0
        self._lives = 0.0

    def endpoint(self) -> str:
        """Where Google's APIs answer now."""
        return Path(self._told.endpoint_file).read_text()

    def access_token(self) -> tuple[str, int]:
        """(token of the machine's service account, seconds it still lives)."""
        with self._lock:
            now = time.monotonic()
            if now >= self._renew_at:
                answer = self._machine("access-token", {})
                self._token = answer["token"]
                self._lives = now + answer["seconds"]
                self._renew_at = self._lives - _RENEW_BEFORE_S
            return self._token, int(self._lives - now)

    def id_token(self, audience: str) -> str:
        """An identity token of the machine's service account."""
        return str(self._machine("id-token", {"audience": audience})["token"])

    def _machine(self, what: str, body: dict[str, str]) -> dict[str, Any]:
        claims = {"instance_id": self._told.instance_id, "what": what}
        proof = jwt.encode(claims, self._told.hardware_key, algorithm="ES256")
        headers = {"Authorization": f"Machine {proof}", "Content-Type": "application/json"}
        content = self._ask("POST", f"/_machine/{what}", headers, json.dumps(body).encode(), _whole)
        answer: dict[str, Any] = json.loads(content)
        return answer

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON to an API path as the machine's service account. Raises LinkError."""
        headers = {"Authorization": f"Bearer {self.access_token()[0]}", "Content-Type": "application/json"}
        content = self._ask("POST", path, headers, json.dumps(body).encode(), _whole)
        answer: dict[str, Any] = json.loads(content or b"{}")
        return answer

    def fetch(self, path: str, accept: str, use: Callable[[IO[bytes]], Any]) -> Any:
        """GET a path as the machine's service account; `use` reads the answer. Raises LinkError."""
        headers = {"Authorization": f"Bearer {self.access_token()[0]}", "Accept": accept}
        return self._ask("GET", path, headers, None, use)

    def _ask(
        self,
        verb: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
        use: Callable[[IO[bytes]], Any],
    ) -> Any:
        end, pause = time.monotonic() + PATIENCE_S, 0.05
        while True:
            request = urllib.request.Request(self.endpoint() + path, body, headers, method=verb)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - the stand-in
                    return use(answer)
            except urllib.error.HTTPError as error:
                text = error.read(4096).decode(errors="replace")
                if error.code != 503 or time.monotonic() > end:
                    raise LinkError(error.code, f"{verb} {path}: {error.code} {text}") from error
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > end:
                    raise LinkError(503, f"{verb} {path}: {error}") from error
            time.sleep(pause)
            pause = min(pause * 2, 1.0)


def _whole(answer: IO[bytes]) -> bytes:
    return answer.read()
