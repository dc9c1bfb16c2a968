"""Outside data becomes a typed object once, here; the unknown is refused by name.

A refusal names the field, what was there and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from sealtrain.rules.errors import InvalidRequestError, SealtrainError

T = TypeVar("T")
Refusal = Callable[..., SealtrainError]

_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_EXPECTED = re.compile(r"^Expected (?P<expected>.+?)(?:, got (?P<got>.+?))?(?: - at `|$)")
_PATH = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`")


def parse(data: bytes | str, kind: type[T], what: str, refusal: Refusal = InvalidRequestError) -> T:
    """JSON text as `kind`. Raises `refusal` naming the field; `what` is a word for the reader."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise _explained(error, kind, what, refusal) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(
            f"{what} is not JSON: {error}", field="body", expected="one JSON object in UTF-8"
        ) from error


def convert(value: Any, kind: type[T], what: str, refusal: Refusal = InvalidRequestError) -> T:
    """Plain Python values as `kind`; errors as in `parse`."""
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise _explained(error, kind, what, refusal) from error


def _explained(
    error: msgspec.ValidationError, kind: type[Any], what: str, refusal: Refusal
) -> SealtrainError:
    text = str(error)
    found = _PATH.search(text)
    path = found["path"].lstrip(".") if found else ""
    if unknown := _UNKNOWN.search(text):
        allowed = _field_names(kind, path)
        return refusal(
            f"{what} has a field that is not known",
            field=_join(path, unknown["name"]),
            got=unknown["name"],
            expected=f"one of {', '.join(allowed)}" if allowed else "no further field",
            remedy="correct or remove the field",
        )
    if missing := _MISSING.search(text):
        return refusal(
            f"{what} lacks a field",
            field=_join(path, missing["name"]),
            got="nothing",
            expected="a value",
            remedy="add the field",
        )
    mismatch = _EXPECTED.match(text)
    return refusal(
        f"{what} has a value that is not allowed",
        field=path or "body",
        got=mismatch["got"].replace("`", "") if mismatch and mismatch["got"] else text,
        expected=mismatch["expected"].replace("`", "") if mismatch else None,
        remedy="correct the value",
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _field_names(kind: type[Any], path: str) -> list[str]:
    """The names allowed at a path, found by walking the struct types."""
    current: Any = kind
    for step in filter(None, path.split(".")):
        if not (isinstance(current, type) and issubclass(current, msgspec.Struct)):
            return []
        types = {f.encode_name: f.type for f in msgspec.structs.fields(current)}
        current = _struct_in(types.get(step))
    if isinstance(current, type) and issubclass(current, msgspec.Struct):
        return sorted(f.encode_name for f in msgspec.structs.fields(current))
    return []


def _struct_in(annotation: Any) -> Any:
    """The struct inside an optional annotation, or the annotation itself."""
    for part in getattr(annotation, "__args__", ()):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return annotation
