"""A host whose clock only waiting moves, and whose outside is written down before the run."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from localcloud.workflows import (
    Cancelled,
    ConnectionBroken,
    ConnectionRefused,
    CredentialsMissing,
    HttpRequest,
    HttpResponse,
    MemoryJournal,
    RequestTimedOut,
    StepEntry,
    compile_source,
    run,
)

FAILURES = {
    "broken": ConnectionBroken,
    "refused": ConnectionRefused,
    "timeout": RequestTimedOut,
    "credentials": CredentialsMissing,
}


@dataclass
class VirtualHost:
    """`responses` answer requests in turn, the last one for ever; `callbacks` come after so many seconds."""

    responses: list[dict[str, Any]] = field(default_factory=list)
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    records_steps: bool = False
    clock: float = 1_000_000.0
    requests: list[HttpRequest] = field(default_factory=list)
    logs: list[tuple[str, Any]] = field(default_factory=list)
    history: list[tuple[str, StepEntry, Any]] = field(default_factory=list)
    created: int = 0
    uuids: int = 0
    cancelled: bool = False
    answer: Callable[[HttpRequest], HttpResponse] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> float:
        return self.clock

    def sleep_until(self, when: float) -> None:
        with self.lock:
            self.clock = max(self.clock, when)

    def http(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        with self.lock:
            script = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if "fails" in script:
            raise FAILURES[script["fails"]]("planned")
        return response(**script)

    def create_callback(self, method: str) -> dict[str, Any]:
        self.created += 1
        return {"url": f"http://callbacks.test/{self.created}", "method": method}

    def await_callback(self, callback: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        if self.callbacks and self.callbacks[0]["after"] <= timeout:
            came = self.callbacks.pop(0)
            self.clock += came["after"]
            request = {"method": "POST", "url": callback["url"], "body": came["body"]}
            return {"http_request": request, "type": "HTTP", "received_time": str(self.clock)}
        self.clock += timeout
        return None

    def log(self, severity: str, payload: Any) -> None:
        self.logs.append((severity, payload))

    def env(self, name: str) -> str | None:
        return self.variables.get(name)

    def new_uuid(self) -> str:
        self.uuids += 1
        return f"00000000-0000-4000-8000-{self.uuids:012}"

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled

    def step_started(self, entry: StepEntry) -> None:
        self.history.append(("started", entry, None))

    def step_ended(self, entry: StepEntry, error: Any | None) -> None:
        self.history.append(("ended", entry, error))


def response(
    status: int = 200,
    json_body: Any = None,
    text: str | None = None,
    raw: Iterable[int] | None = None,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """A response: JSON unless a text or raw bytes are given."""
    if raw is not None:
        return HttpResponse(status, headers or {}, bytes(raw))
    if text is not None:
        return HttpResponse(status, {"content-type": "text/plain", **(headers or {})}, text.encode())
    body = json.dumps(json_body).encode()
    return HttpResponse(status, {"content-type": "application/json", **(headers or {})}, body)


@pytest.fixture
def host() -> VirtualHost:
    """A host where nothing is planned."""
    return VirtualHost()


@pytest.fixture
def make_host() -> type[VirtualHost]:
    """The kind of host, to plan one."""
    return VirtualHost


@pytest.fixture
def execute(host: VirtualHost) -> Callable[..., Any]:
    """Run a source against the host; the returned value."""

    def execute_source(text: str, argument: Any = None, **more: Any) -> Any:
        journal = more.pop("journal", None) or MemoryJournal()
        return run(compile_source(text), argument, more.pop("host", host), journal, **more)

    return execute_source


@pytest.fixture(autouse=True)
def pythons_own_recursion_limit() -> Iterator[None]:
    """How deep is too deep must not hang on who was imported before (the CEL library raises the limit)."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)
