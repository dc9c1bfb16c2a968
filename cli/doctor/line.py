"""One line of the doctor: what was looked at, how it is, what was seen, and the command that mends it."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]


class Line(msgspec.Struct, frozen=True):
    """`warn`: not seen, or harmful only later. `fail`: the deployment is not what it claims to be."""

    name: str
    state: State
    told: str
    mend: str = ""


def ok(name: str, told: str) -> Line:
    """As it has to be."""
    return Line(name, "ok", told)


def warn(name: str, told: str, mend: str = "") -> Line:
    """Not seen, or not harmful yet."""
    return Line(name, "warn", told, mend)


def fail(name: str, told: str, mend: str) -> Line:
    """Wrong, and what to do."""
    return Line(name, "fail", told, mend)
