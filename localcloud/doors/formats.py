"""Scalars of the discovery documents: what JSON stands for a type and format, as Google reads protobuf JSON.

- Whole numbers may come as numbers or as text, and must fit their width. 64-bit ones are kept as text.
- `byte` is base64 (either alphabet, padding optional), `google-datetime` RFC 3339 with a zone,
  `google-duration` seconds with an `s` ("2592000s").
- Text is Unicode: half a surrogate pair is refused.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Any

_WHOLE = re.compile(r"-?\d{1,20}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_DURATION = re.compile(r"-?(\d{1,12})(\.\d{1,9})?s")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_LONGEST_S = 315_576_000_000  # ten thousand years: protobuf's Duration
MEANINGS = {
    "byte": "base64",
    "date-time": "RFC 3339 with a zone",
    "google-datetime": "RFC 3339 with a zone",
    "google-duration": 'seconds with an s, as in "2592000s"',
}
_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


def scalar(kind: str, form: str | None, value: Any) -> Any:
    """`value` as the type wants it. Raises ValueError if it is none of that type."""
    if kind == "any":
        return value
    if kind == "boolean":
        return _expect(isinstance(value, bool), value)
    if kind == "integer":
        return whole(form or "int32", value)
    if kind == "number":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return _expect(number and abs(value) <= sys.float_info.max, value)
    if form in ("int64", "uint64"):
        return str(whole(form, value))
    text = _expect(isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value), value)
    return text if form is None else _expect(_formed(form, text), text)


def whole(form: str, value: Any) -> int:
    """A whole number of that width, from a number or from text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)
    low, high = _RANGES[form]
    return int(_expect(low <= value <= high, value))


def _formed(form: str, text: str) -> bool:
    if form == "byte":
        return bool(_BASE64.fullmatch(text)) and len(text.rstrip("=")) % 4 != 1
    if form == "google-duration":
        found = _DURATION.fullmatch(text)
        return found is not None and int(found.group(1)) <= _LONGEST_S
    if form in ("google-datetime", "date-time"):
        return _is_moment(text)
    return True


def _is_moment(text: str) -> bool:
    if not _MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return False
    return True


def _expect(holds: bool, value: Any) -> Any:
    if not holds:
        raise ValueError(value)
    return value
