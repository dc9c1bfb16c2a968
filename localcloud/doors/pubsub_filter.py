"""Filters of subscriptions: equality of attributes, joined by AND. All else is refused, not ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping

from localcloud.doors.errors import ApiError

_TERM = re.compile(r'\s*attributes\.([A-Za-z_][\w-]*|"[^"]+")\s*=\s*"([^"]*)"\s*')


def parse(text: str) -> dict[str, str]:
    """Attribute and wanted value of each term; {} for no filter. Raises 501 for any other grammar."""
    wanted: dict[str, str] = {}
    for term in text.split(" AND ") if text else []:
        found = _TERM.fullmatch(term)
        if found is None:
            raise ApiError(
                501, f'filter: got {term!r}; the stand-in only knows attributes.KEY = "VALUE", joined by AND'
            )
        wanted[found.group(1).strip('"')] = found.group(2)
    return wanted


def passes(text: str, attributes: Mapping[str, str]) -> bool:
    """Whether a message with these attributes goes through the filter."""
    return all(attributes.get(key) == value for key, value in parse(text).items())
