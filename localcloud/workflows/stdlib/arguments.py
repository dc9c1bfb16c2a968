"""Checks that functions make on their arguments; each failure is the language's TypeError or
ValueError.
"""

from __future__ import annotations

from typing import Any

from ..errors import type_error, value_error
from ..values import Value, is_number, type_name


def string(value: Value, what: str) -> str:
    """The value, which must be a string."""
    if type(value) is not str:
        raise _wrong(what, "a string", value)
    return value


def integer(value: Value, what: str) -> int:
    """The value, which must be an integer."""
    if type(value) is not int:
        raise _wrong(what, "an integer", value)
    return value


def number(value: Value, what: str) -> float:
    """The value, which must be an integer or double."""
    if not is_number(value):
        raise _wrong(what, "a number", value)
    return value  # type: ignore[no-any-return]


def boolean(value: Value, what: str) -> bool:
    """The value, which must be a boolean."""
    if type(value) is not bool:
        raise _wrong(what, "a boolean", value)
    return value


def octets(value: Value, what: str) -> bytes:
    """The value, which must be bytes."""
    if type(value) is not bytes:
        raise _wrong(what, "bytes", value)
    return value


def elements(value: Value, what: str) -> list[Any]:
    """The value, which must be a list."""
    if type(value) is not list:
        raise _wrong(what, "a list", value)
    return value


def mapping(value: Value, what: str) -> dict[str, Any]:
    """The value, which must be a map."""
    if type(value) is not dict:
        raise _wrong(what, "a map", value)
    return value


def seconds(value: Value, what: str, at_most: float) -> float:
    """The value, which must be a duration in seconds from 0 to a bound."""
    duration = number(value, what)
    if not 0 <= duration <= at_most:
        raise value_error(f"{what} must be from 0 to {at_most} seconds, got {duration}")
    return duration


def _wrong(what: str, expected: str, value: Value) -> Exception:
    return type_error(f"{what} must be {expected}, got a {type_name(value)}")
