"""Reading what others wrote, strictly: sizes first, one spelling of base64, JSON without surprises.

Rules enforced here:
- base64 and base64url only in the canonical spelling: no padding games, no characters skipped;
- JSON is one object, read as `rules.canonical` reads: no key twice, no NaN or infinity, no lone surrogate,
  bounded depth.
"""

import binascii
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import Any

from sealtrain.rules import canonical
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
        value = canonical.read(data)
    except (ValueError, RecursionError) as error:
        raise Refused("malformed", field, error, "one strict JSON object") from error
    if not isinstance(value, dict):
        raise Refused("malformed", field, type(value).__name__, "one strict JSON object")
    return value
