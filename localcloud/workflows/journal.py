"""The record of an execution's effects, so that a restart goes on where the stop was.

Rules: an effect is recorded after it happened, under a key that is the same in every replay: the
path of branches and a number counted within the branch. What was in flight at the stop happens
again (at least once, never lost). An entry is a JSON map; bytes within it travel as base64.
"""

from __future__ import annotations

import base64
from typing import Any, Protocol

from .values import Value

_BYTES = "\u0000bytes"


class Journal(Protocol):
    """Where effects are recorded; `put` must be durable when it returns. Branches call from threads."""

    def get(self, key: str) -> dict[str, Any] | None:
        """The entry under the key, or None."""

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Record an entry under a new key."""


class MemoryJournal:
    """A journal that lives as long as the process."""

    def __init__(self, entries: dict[str, dict[str, Any]] | None = None) -> None:
        self.entries = {} if entries is None else entries

    def get(self, key: str) -> dict[str, Any] | None:
        """The entry under the key, or None."""
        return self.entries.get(key)

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Record an entry under a new key."""
        self.entries[key] = value


class JournalMismatchError(Exception):
    """The journal was written by another source or argument: what it holds is not what is asked for."""


def entry_for(call: str, outcome: str, value: Value) -> dict[str, Any]:
    """The entry of a call's outcome ("value" or "error")."""
    packed = _pack(value)
    entry = {"call": call, outcome: packed}
    if packed is not value:
        entry["bytes"] = True
    return entry


def recorded(entry: dict[str, Any], outcome: str) -> Value:
    """The value that an entry holds."""
    return _unpack(entry[outcome]) if entry.get("bytes") else entry[outcome]


def _pack(value: Value) -> Value:
    """The value with its bytes as marked text; the very same object when it holds none."""
    if type(value) is bytes:
        return {_BYTES: base64.b64encode(value).decode()}
    if type(value) is list:
        items = [_pack(item) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    if type(value) is dict:
        entries = {key: _pack(item) for key, item in value.items()}
        same = all(entries[key] is item for key, item in value.items())
        return value if same else entries
    return value


def _unpack(value: Value) -> Value:
    if type(value) is list:
        return [_unpack(item) for item in value]
    if type(value) is dict:
        if value.keys() == {_BYTES}:
            return base64.b64decode(value[_BYTES])
        return {key: _unpack(item) for key, item in value.items()}
    return value
