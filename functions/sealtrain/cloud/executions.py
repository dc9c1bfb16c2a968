"""Workflow Executions, by plain HTTP: Google's client for it has no REST transport.

A callback's address comes out of a stored record, so it is checked before our token goes to it: it
must be Google's host, or the loopback override.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from sealtrain.cloud.failures import for_code, ours
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.resources import Execution
from sealtrain.rules.settings import Settings

HOST = "https://workflowexecutions.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_S = 30


class Executions:
    """Executions of a workflow, by full names."""

    def __init__(self, settings: Settings, credentials: Any = None) -> None:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        self._base = settings.endpoint or HOST
        with ours("credentials"):
            found = credentials or google.auth.default(scopes=[_SCOPE])[0]
        self._session: Any = AuthorizedSession(found)  # type: ignore[no-untyped-call]

    def start(self, workflow: str, argument: Any) -> str:
        """Start an execution with a JSON argument (at most 32 KB); give its name."""
        body = {"argument": json.dumps(argument)}
        return str(self._call("POST", f"{self._base}/v1/{workflow}/executions", body)["name"])

    def get(self, name: str) -> Execution:
        """The execution's state. Raises NotFoundError."""
        return _execution(self._call("GET", f"{self._base}/v1/{name}"))

    def list(self, workflow: str) -> list[Execution]:
        """The workflow's newest executions."""
        found = self._call("GET", f"{self._base}/v1/{workflow}/executions?pageSize=100")
        return [_execution(e) for e in found.get("executions", [])]

    def cancel(self, name: str) -> Execution:
        """Cancel a running execution."""
        return _execution(self._call("POST", f"{self._base}/v1/{name}:cancel", {}))

    def post_callback(self, url: str, body: Any) -> None:
        """Wake an execution that waits for this callback. Raises NotFoundError if none does."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self._base:
            raise InvalidRequestError(
                "the callback's address is not one of Workflows",
                field="callback_url",
                got=url,
                expected=f"an address at {self._base}",
            )
        self._call("POST", url, body)

    def _call(self, method: str, url: str, body: Any = None) -> dict[str, Any]:
        with ours(url):
            answer = self._session.request(method, url, json=body, timeout=_TIMEOUT_S, allow_redirects=False)
        if answer.status_code >= 300:
            raise for_code(answer.status_code, url, _said(answer))
        found = answer.json() if answer.content else {}
        return found if isinstance(found, dict) else {}


def _said(answer: Any) -> str:
    """What the platform said, out of its error body if it has one."""
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(answer.text)


def _execution(body: dict[str, Any]) -> Execution:
    error = body.get("error")
    return Execution(
        name=body["name"],
        state=body.get("state", ""),
        result=body.get("result"),
        error=json.dumps(error) if error else None,
    )
