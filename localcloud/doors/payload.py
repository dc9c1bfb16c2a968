"""JSON as it comes in from outside: parsed strictly, refused with Google's 400."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from localcloud.doors.errors import ApiError, invalid

_DEEPEST = 100  # protobuf's own limit


def parse_json(raw: bytes | str) -> Any:
    """The value; nothing at all is {}. NaN, Infinity, bad UTF-8 and nesting without end are refused."""
    if not raw:
        return {}
    try:
        value = json.loads(raw, parse_constant=_no_number)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    text = raw if isinstance(raw, bytes) else raw.encode()
    if text.count(b"[") + text.count(b"{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise _too_deep()
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return depth


def _too_deep() -> ApiError:
    return invalid(f"Invalid JSON payload received. Message too deep: at most {_DEEPEST} levels.")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")
