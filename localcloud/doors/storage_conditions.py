"""Preconditions: ifGenerationMatch, ifMetagenerationMatch and their negatives.

Rules
- "Match" fails with 412 when the number differs; generation 0 means "no live version".
- "NotMatch" fails with 412 on a write and with 304 on a read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.doors.errors import ApiError, condition_not_met

Json = dict[str, Any]


def check_conditions(
    params: Mapping[str, Any], current: Json | None, *, reading: bool = False, suffix: str = ""
) -> None:
    """Raise 412 (or 304 when reading) if a condition of the call does not hold for `current`."""
    for field, missing in (("generation", "0"), ("metageneration", None)):
        actual = missing if current is None else current.get(field)
        title = f"if{suffix}{field.capitalize()}"
        wanted = params.get(f"{title}Match")
        if wanted is not None and (actual is None or int(wanted) != int(actual)):
            raise condition_not_met(f"{title}Match")
        unwanted = params.get(f"{title}NotMatch")
        if unwanted is not None and (actual is None or int(unwanted) == int(actual)):
            if reading:
                raise ApiError(304, "Not Modified", status="NOT_MODIFIED", reason="notModified")
            raise condition_not_met(f"{title}NotMatch")
