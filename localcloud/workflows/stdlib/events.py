"""`events`: callbacks. Source: Google's pages "Wait using callbacks" and "Module: events".

Rules: a callback is a map with its "url"; waiting gives the call that came, TimeoutError when none
came in time (12 hours unless said otherwise, at most a year). The deadline is recorded, so a
restart waits only for what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import limits
from ..errors import problem, type_error, value_error
from ..values import Value
from . import arguments
from .function import Library

if TYPE_CHECKING:
    from ..strand import Strand

library = Library("events")

_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])


@library.function("create_callback_endpoint", outward=True)
def create_callback_endpoint(strand: Strand, http_callback_method: Value = "POST") -> Value:
    """A new callback for one HTTP method."""
    method = arguments.string(http_callback_method, "http_callback_method").upper()
    if method not in _METHODS:
        raise value_error(f"unknown HTTP method {http_callback_method!r}")
    host = strand.execution.host
    return strand.effect("events.create_callback_endpoint", lambda: host.create_callback(method))


@library.function("await_callback", blocking=True, outward=True)
def await_callback(strand: Strand, callback: Value, timeout: Value = limits.CALLBACK_TIMEOUT_S) -> Value:
    """The next call that the callback gets."""
    awaited = arguments.mapping(callback, "callback")
    if type(awaited.get("url")) is not str:
        raise type_error('callback must be what create_callback_endpoint gave: it has no "url"')
    seconds = arguments.seconds(timeout, "timeout", limits.YEAR_S)
    host = strand.execution.host
    deadline = strand.effect("events.await_callback deadline", lambda: host.now() + seconds)

    def wait() -> Value:
        received = host.await_callback(awaited, max(0.0, deadline - host.now()))
        if received is None:
            raise problem("TimeoutError", f"no callback came within {seconds} seconds")
        return received

    return strand.effect("events.await_callback", wait)
