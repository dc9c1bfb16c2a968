"""What the engine asks of the world outside, as a protocol: the stand-in, the command line and the
tests each give one.

Rules: the engine keeps no clock and opens no connection of its own; every call may come from the
thread of any branch; a call that waits must raise `Cancelled` soon after the execution was
cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict


class Cancelled(Exception):  # noqa: N818  # the outcome's own name in Google's API
    """The execution was cancelled; no `except` of the workflow sees it."""


class HttpFailure(Exception):  # noqa: N818  # base of three errors that the host raises
    """A request that got no response; the workflow meets it as an error with this tag."""

    tag = "ConnectionError"


class ConnectionBroken(HttpFailure):
    """The connection stood and then broke."""


class ConnectionRefused(HttpFailure):
    """No connection came about: name, route or port."""

    tag = "ConnectionFailedError"


class RequestTimedOut(HttpFailure):
    """No whole response within the timeout."""

    tag = "TimeoutError"


class CredentialsMissing(HttpFailure):
    """`auth` was asked for and no token could be made."""

    tag = "AuthError"


class Auth(TypedDict, total=False):
    """`auth` of a request: OIDC with an audience, or OAuth2 with scopes."""

    type: str
    audience: str
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to send: the body is encoded, the query still apart; `timeout` in seconds."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    timeout: float = 300
    auth: Auth | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response of any status; several headers of one name are joined by ", "."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class StepEntry:
    """One passing of one step, for the history.

    `key` names the passing and is the same when it is replayed, so a host can keep one entry for both.
    """

    key: str
    routine: str
    step: str
    kind: str
    line: int


class Host(Protocol):
    """The world outside one execution."""

    # Whether the two history calls are wanted; they cost time.
    records_steps: bool

    def now(self) -> float:
        """Seconds since 1970."""

    def sleep_until(self, when: float) -> None:
        """Return once `now()` has reached the time; at once when it has."""

    def http(self, request: HttpRequest) -> HttpResponse:
        """Send a request. Raises an HttpFailure when no response comes."""

    def create_callback(self, method: str) -> dict[str, Any]:
        """A new callback: a JSON map with its "url"."""

    def await_callback(self, callback: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        """The next call that the callback got, as a JSON map; None when the seconds passed first.

        The map holds http_request (method, url, query, headers, body), received_time and type.
        """

    def log(self, severity: str, payload: Any) -> None:
        """Write to the log."""

    def env(self, name: str) -> str | None:
        """An environment variable, such as GOOGLE_CLOUD_PROJECT_ID."""

    def new_uuid(self) -> str:
        """A random UUID."""

    def check_cancelled(self) -> None:
        """Raise Cancelled when the execution is to stop."""

    def step_started(self, entry: StepEntry) -> None:
        """A step begins; called again when a restart replays it."""

    def step_ended(self, entry: StepEntry, error: Any | None) -> None:
        """A step ended, well or with the raised value."""
