"""Pages of rows: where one begins, how long it may be. A page token is the number of its first row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.doors.errors import invalid

_LARGEST = 10_000


def page_of(params: Mapping[str, Any]) -> tuple[int, int]:
    """(first row, most rows) of `pageToken`, `startIndex` and `maxResults`; the schema lets no negative
    number through. Raises 400 naming the token.
    """
    token = params.get("pageToken")
    if token is not None and not (token.isascii() and token.isdigit() and len(token) < 16):
        raise invalid(f"pageToken: got {token!r}, which no page of ours ended with")
    start = int(token if token is not None else params.get("startIndex") or 0)
    limit = params.get("maxResults")
    return min(start, 2**53), _LARGEST if limit is None else min(int(limit), _LARGEST)
