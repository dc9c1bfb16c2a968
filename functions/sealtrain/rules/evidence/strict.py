"""Reading what others wrote, strictly: sizes first, one spelling of base64, JSON without surprises.

Rules enforced here:
- base64 and base64url only in the canonical spelling: no padding games, no characters skipped;
- JSON is UTF-8, one object, no key twice, no NaN or infinity, no lone surrogate, bounded depth.
"""

import binascii
import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from math import isfinite
from typing import Any

from sealtrain.rules.evidence.findings import Refused


def bounded(data: bytes | str, most: int, field: str) -> None:
    """Refuse what is larger than `most` bytes (of a text: characters)."""
    if len(data) > most:
        raise Refused("too_large", field, len(data), f"at most {most}")


def base64url(text: str, field: str) -> bytes:
    """Decode a JWT segment: base64url without padding, in its one canonical spelling."""
    rest = len(text) % 4
    try:
        if not text.isascii() or "+" in text or "/" in text or "=" in text:
            raise ValueError("a character outside of base64url")
        plain = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        data = binascii.a2b_base64(plain, strict_mode=True)
    except ValueError as error:
        raise Refused("malformed", field, error, "base64url without padding") from error
    # Only the last, incomplete group of characters can be spelled in more than one way.
    if rest and urlsafe_b64encode(data[-(rest - 1) :]).rstrip(b"=").decode() != text[-rest:]:
        raise Refused("malformed", field, "another spelling", "canonical base64url")
    return data


def base64(text: str) -> bytes:
    """Decode base64 in its one canonical spelling. Raises ValueError."""
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text:
        raise ValueError("base64 in another spelling than the canonical one")
    return data


def json_object(data: bytes, field: str) -> dict[str, Any]:
    """Read one JSON object."""
    try:
        text = data.decode()
        value = _JSON.decode(text)
        if "\\u" in text:  # only an escape can make a lone surrogate out of valid UTF-8
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused("malformed", field, error, "one strict JSON object") from error
    if not isinstance(value, dict):
        raise Refused("malformed", field, type(value).__name__, "one strict JSON object")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return seen


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError("a number beyond all bounds")
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_no_constant, parse_float=_finite)
