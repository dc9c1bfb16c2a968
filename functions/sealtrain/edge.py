"""The two shapes of entry point: a step (the workflow calls it) and a listener (an event starts it).

Both: parse the outside into the module's `Request`, unknown fields refused; give the function its
cloud objects, settings and clock; write one canonical log line; and answer.

- A step answers JSON, or its error as JSON with the status of `rules.errors`.
- A listener that could not read its message, or whose message is refused for good, says so in the
  log and is done: a poisoned message must not come back. An error that may pass is answered 503 or
  429, so that it is delivered again; anything else fails the delivery, up to the dead letter.
- A listener that gives nothing had nothing to do; the log says `event.ignored`.
- An unexpected error is answered 500 with a reference; what it was stands in the log only.

The function's module is imported at its first use, or at start when it is the process's target.
What is returned is a plain function named like the step: the framework looks it up by that name.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import secrets
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import flask
import msgspec
import werkzeug.exceptions

from sealtrain.cloud.connect import Cloud
from sealtrain.cloud.log import Log, Severity
from sealtrain.rules import step_table
from sealtrain.rules.answers import answer, status_of
from sealtrain.rules.errors import InvalidRequestError, NotReadyError, RefusedError
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings

LARGEST_REQUEST_BYTES = 256 * 1024
_MESSAGE_AT_FAULT = (InvalidRequestError, RefusedError)
Step = Callable[[flask.Request], flask.Response]
Listener = Callable[[Any], None]


def now() -> datetime:
    """The time in UTC; handed to every function as its clock."""
    return datetime.now(UTC)


class _Entry:
    """One entry point: its row of the table, its module, its cloud."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.row = step_table.function(name)
        self.log = Log(name)
        self._environ = environ

    @cached_property
    def cloud(self) -> Cloud:
        settings = Settings.from_environ(self._environ)
        return Cloud(settings, by=self.row.name, clock=now)

    @cached_property
    def module(self) -> Any:
        return importlib.import_module(f"sealtrain.{self.row.kind}s.{self.row.name}")

    def call(self, body: bytes) -> Any:
        """Parse, call, and give the result; every error comes out."""
        if len(body) > LARGEST_REQUEST_BYTES:
            raise InvalidRequestError(
                "the request is too large",
                field="body",
                got=f"{len(body)} bytes",
                expected=f"at most {LARGEST_REQUEST_BYTES} bytes",
            )
        request = parse(body, self.module.Request, "the request")
        needs = {need: self.cloud.get(need) for need in self.row.needs}
        verb = getattr(self.module, self.row.name)
        return verb(request, **needs, settings=self.cloud.settings, clock=now)

    def succeeded(self, started: float, result: Any) -> None:
        """Write the canonical line of a call that went well."""
        found = msgspec.to_builtins(result)
        fields = found if isinstance(found, dict) else {}
        event = "event.ignored" if result is None else self.row.event
        self.log.write(event, duration_ms=_since(started), **_flat(fields))

    def failed(self, started: float, error: Exception, body: bytes, acknowledged: bool) -> str:
        """Write the canonical line of a call that failed; give the reference of its line."""
        reference = secrets.token_hex(6)
        told = answer(error, reference)["error"]
        expected = status_of(error) != 500
        event = f"{self.row.name}.failed"
        severity: Severity = "WARNING" if expected else "ERROR"
        if acknowledged:
            event = "event.refused"
        elif type(error) is NotReadyError:  # ordinary waiting: whoever called asks again
            event, severity = f"{self.row.name}.waiting", "INFO"
        self.log.write(
            event,
            str(error) if expected else f"unexpected: {type(error).__name__}",
            severity=severity,
            duration_ms=_since(started),
            run=_run_in(body),
            code=told["code"],
            field=told["field"],
            status=status_of(error),
            reference=reference,
            stack=None if expected else "".join(traceback.format_exception(error)),
        )
        return reference


def step(name: str, environ: Mapping[str, str]) -> Step:
    """The entry point of a step."""
    entry = _entry(name, environ)

    def serve(request: flask.Request) -> flask.Response:
        started = time.monotonic()
        body = request.get_data()
        try:
            result = entry.call(body)
        except Exception as error:
            return _refusal(error, entry.failed(started, error, body, acknowledged=False))
        entry.succeeded(started, result)
        return flask.Response(msgspec.json.encode(result), mimetype="application/json")

    _name(serve, name)
    return serve


def listener(name: str, environ: Mapping[str, str]) -> Listener:
    """The entry point of a listener; takes the framework's CloudEvent."""
    entry = _entry(name, environ)

    def serve(event: Any) -> None:
        started = time.monotonic()
        body = b""
        try:
            body = _payload(event)
            result = entry.call(body)
        except Exception as error:
            done = isinstance(error, _MESSAGE_AT_FAULT)
            reference = entry.failed(started, error, body, acknowledged=done)
            if done:
                return
            # The framework would answer the error's text; this answers ours instead.
            raise werkzeug.exceptions.HTTPException(response=_refusal(error, reference)) from error
        entry.succeeded(started, result)

    _name(serve, name)
    return serve


def _entry(name: str, environ: Mapping[str, str]) -> _Entry:
    entry = _Entry(name, environ)
    if environ.get("FUNCTION_TARGET") == name:
        # The process serves this function: its imports belong to the start, not to the first call.
        _ = entry.module
    return entry


def _name(function: Any, name: str) -> None:
    function.__name__ = function.__qualname__ = name


def _refusal(error: Exception, reference: str) -> flask.Response:
    return flask.Response(
        json.dumps(answer(error, reference)),
        status=status_of(error),
        mimetype="application/json",
    )


def _payload(event: Any) -> bytes:
    """The JSON inside an event: a Pub/Sub message's data, or the event's own data."""
    data = event.data
    if isinstance(data, dict) and isinstance(data.get("message"), dict):
        try:
            return base64.b64decode(data["message"].get("data", ""), validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise InvalidRequestError(
                "the message's data is not base64", field="message.data", expected="base64"
            ) from error
    return data if isinstance(data, bytes) else json.dumps(data).encode()


def _run_in(body: bytes) -> str | None:
    """The run a request names, for the log line; None when it names none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    run = found.get("run") if isinstance(found, dict) else None
    return run[:13] if isinstance(run, str) else None


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if isinstance(v, str | int | float | bool)}


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
