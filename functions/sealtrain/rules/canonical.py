"""Canonical JSON, the bytes that digests and signatures are over.

Rules: UTF-8, keys sorted, no spaces, no NaN or infinity; on reading no key twice, no number beyond all
bounds, no lone surrogate. One value has one byte form, so equal content has an equal digest anywhere.
"""

from __future__ import annotations

import hashlib
import json
from math import isfinite
from typing import Any, NewType

import msgspec

from sealtrain.rules.errors import InvalidRequestError

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hex digits."""


def dumps(value: Any) -> bytes:
    """The one byte form of a value; msgspec types are taken as their JSON form."""
    plain = msgspec.to_builtins(value)
    return json.dumps(
        plain, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


def loads(data: bytes) -> Any:
    """Read JSON strictly, as `read` does. Raises InvalidRequestError."""
    try:
        return read(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"not canonical JSON: {error}", field="body") from error


def read(data: bytes) -> Any:
    """Read JSON strictly. Raises ValueError, or RecursionError where it is nested too deep."""
    text = data.decode()
    value = _STRICT.decode(text)
    if "\\u" in text:  # only an escape can make a lone surrogate out of valid UTF-8
        json.dumps(value, ensure_ascii=False).encode()
    return value


def digest(data: bytes) -> Digest:
    """`sha256:…` of bytes."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def hex_of(digest_text: str) -> str:
    """The hex digits of a digest."""
    return digest_text.removeprefix("sha256:")


def is_digest(text: str) -> bool:
    """Whether text is `sha256:` and 64 lower-case hex digits."""
    algorithm, _, digits = text.partition(":")
    return algorithm == "sha256" and len(digits) == 64 and set(digits) <= set("0123456789abcdef")


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


_STRICT = json.JSONDecoder(
    object_pairs_hook=_without_repeats, parse_constant=_no_constant, parse_float=_finite
)
