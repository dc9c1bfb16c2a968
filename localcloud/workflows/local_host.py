"""The host of the command line: the real clock, real requests, callbacks on the loopback.

Rules: tokens come from the metadata server that GCE_METADATA_HOST names, as Google's libraries take
them; without one, a request with `auth` fails as an AuthError. A redirect is not followed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

from .callback_server import CallbackServer
from .connections import Connections
from .host import (
    Auth,
    CredentialsMissing,
    HttpFailure,
    HttpRequest,
    HttpResponse,
    StepEntry,
)

_METADATA_TIMEOUT_S = 5
_DEFAULT_ENV = {
    "GOOGLE_CLOUD_LOCATION": "us-central1",
    "GOOGLE_CLOUD_PROJECT_ID": "local-project",
    "GOOGLE_CLOUD_PROJECT_NUMBER": "123456789012",
    "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": "workflow@local-project.iam.gserviceaccount.com",
    "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ATTEMPT": "1",
    "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": "000001-000",
}


class LocalHost:
    """A host for one execution, alone on one machine."""

    records_steps = False

    def __init__(self, workflow_id: str, env: Mapping[str, str]) -> None:
        self._env = {
            **_DEFAULT_ENV,
            "GOOGLE_CLOUD_WORKFLOW_ID": workflow_id,
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": str(uuid.uuid4()),
            **env,
        }
        self._callbacks = CallbackServer()
        self._connections = Connections()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep_until(self, when: float) -> None:
        """Sleep."""
        time.sleep(max(0.0, when - time.time()))

    def http(self, request: HttpRequest) -> HttpResponse:
        """Send a request, with a token when it asks for one."""
        headers = dict(request.headers)
        if request.auth is not None:
            headers["Authorization"] = f"Bearer {_token(request.auth, self._connections)}"
        return self._connections.send(request, headers)

    def create_callback(self, method: str) -> dict[str, Any]:
        """A URL on the loopback, told on standard error too."""
        callback = {"url": self._callbacks.create(method)}
        self.log("NOTICE", f"callback: {method} {callback['url']}")
        return callback

    def await_callback(self, callback: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        """Wait for the next request to the URL."""
        return self._callbacks.wait(callback["url"], timeout)

    def log(self, severity: str, payload: Any) -> None:
        """One line of JSON on standard error."""
        line = {"severity": severity, "payload": payload}
        sys.stderr.write(json.dumps(line, ensure_ascii=False, default=repr) + "\n")

    def env(self, name: str) -> str | None:
        """A variable given on the command line, or one of the platform's."""
        return self._env.get(name)

    def new_uuid(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())

    def check_cancelled(self) -> None:
        """Nobody cancels here but the keyboard."""

    def step_started(self, entry: StepEntry) -> None:
        """No history is kept."""

    def step_ended(self, entry: StepEntry, error: Any | None) -> None:
        """No history is kept."""


def _token(auth: Auth, connections: Connections) -> str:
    server = os.environ.get("GCE_METADATA_HOST")
    if not server:
        raise CredentialsMissing(
            f"auth asks for an {auth['type']} token and there is no metadata server: set GCE_METADATA_HOST"
        )
    identity = auth["type"] == "OIDC"
    path = "identity" if identity else "token"
    asked = (
        [("audience", auth["audience"]), ("format", "full")]
        if identity
        else [("scopes", ",".join(auth["scopes"]))]
    )
    address = f"http://{server}/computeMetadata/v1/instance/service-accounts/default/{path}"
    request = HttpRequest("GET", address, query=asked, timeout=_METADATA_TIMEOUT_S)
    try:
        response = connections.send(request, {"Metadata-Flavor": "Google"})
    except HttpFailure as error:
        raise CredentialsMissing(f"the metadata server gave no token: {error}") from None
    if response.status != 200:
        raise CredentialsMissing(f"the metadata server answered {response.status}")
    text = response.body.decode()
    return text if identity else str(json.loads(text)["access_token"])
