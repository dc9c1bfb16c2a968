"""Past its budget a deployment admits no new run: what a notification says, and the pause that follows.

- Google tells the cost of a calendar month several times a day, whatever it is, hours after it arose. So a
  pause keeps the next run from starting; what ends a running one is the end time that the server enforces.
- A month is paused at marks: once its cost has reached the budget, and again at twice, three times, … the
  budget. Each mark pauses once, and only one that lies further than all before it: whatever is told again,
  late or twice makes nothing anew. Who raises the budget moves the next mark.
- The pause of the furthest mark is the one that stands, until its month ends or an operator lifts it. A lift
  is a record beside the pause, for none is ever removed: that is how a lifted pause is told from none.
- A month begins at midnight in Pacific time. Its records lie in one folder, named by the month, so there is
  one to look into.

Source: the notification format, schema version 1.0
(https://cloud.google.com/billing/docs/how-to/budgets-programmatic-notifications#notification_format).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from sealtrain.rules.errors import InvalidRequestError, RefusedError
from sealtrain.rules.settings import Settings

PREFIX = "paused/"
PAUSE, LIFT = ".pause.json", ".lift.json"
_PAUSE_NAME = re.compile(rf"{PREFIX}\d{{4}}-\d\d/(\d{{1,15}}\.\d\d){re.escape(PAUSE)}")
_PACIFIC = timedelta(hours=8)  # behind UTC; in summer 7, so that a month is looked for an hour late
_LONGEST_AGO = timedelta(days=62)
_MOST = 1e12

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Cost = Annotated[float, msgspec.Meta(ge=-_MOST, le=_MOST)]
Budget = Annotated[float, msgspec.Meta(ge=0.01, le=_MOST)]


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Since when, until when and for which cost no run is admitted. Amounts in `currency`."""

    since: Moment
    until: Moment
    cost: float
    budget: float
    currency: str


class Lift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an operator lifted the pause that it lies beside, and why."""

    time: Moment
    reason: str


def display_name(s: Settings) -> str:
    """The budget's name, which its notifications bear."""
    return f"{s.deployment} {s.project}"


def folder(month_begins: datetime) -> str:
    """State: where the pauses of a month lie that begins then."""
    return f"{PREFIX}{month_begins.astimezone(UTC):%Y-%m}/"


def folder_now(now: datetime) -> str:
    """State: where the pauses lie of the month that it is in Pacific time."""
    return folder(now - _PACIFIC)


def record(month_begins: datetime, pause: Pause) -> str:
    """State: the pause at a month's mark, which is how many whole budgets were spent, in money."""
    mark = pause.cost // pause.budget * pause.budget
    return f"{folder(month_begins)}{mark:.2f}{PAUSE}"


def lift(pause: str) -> str:
    """State: that the pause of this name was lifted."""
    return pause.removesuffix(PAUSE) + LIFT


def furthest(stored: Iterable[str]) -> str | None:
    """The pause at a month's furthest mark; other names are not looked at."""
    marks = {name: float(found[1]) for name in stored if (found := _PAUSE_NAME.fullmatch(name))}
    return max(marks, key=lambda name: marks[name], default=None)


def in_force(stored: Collection[str]) -> str | None:
    """The pause that stands by the names of a month's records; its record says until when."""
    last = furthest(stored)
    return None if last is None or lift(last) in stored else last


def is_further(pause: str, stored: Collection[str]) -> bool:
    """Whether a pause is at a further mark than all that stand on record."""
    return pause not in stored and furthest([*stored, pause]) == pause


def pause(begins: datetime, cost: float, budget: float, currency: str, now: datetime) -> Pause | None:
    """The pause that this cost leads to; None while the budget is not reached, or after its month.

    Raises InvalidRequestError.
    """
    if not timedelta(0) <= now - begins <= _LONGEST_AGO:
        raise InvalidRequestError(
            "a budget notification of another time",
            field="costIntervalStart",
            got=begins.isoformat(),
            expected="the beginning of this month or of the last",
        )
    until = _next_month(begins)
    if cost < budget or until <= now:
        return None
    return Pause(since=now, until=until, cost=cost, budget=budget, currency=currency)


def check(found: Pause | None, now: datetime) -> None:
    """Raise RefusedError while a pause holds."""
    if found is not None and now < found.until:
        raise RefusedError(
            "no run is admitted: this month's cost has reached the budget",
            code="paused",
            field="budget",
            got=f"{found.cost:.2f} {found.currency}",
            expected=f"less than {found.budget:.2f} {found.currency}",
            remedy=f"submit it as another attempt from {found.until:%Y-%m-%d %H:%M} UTC on; or sooner, once "
            f"the operator raised the budget and lifted the pause (`sealtrain resume`). {checkpoints_go()}",
        )


def checkpoints_go() -> str:
    """What a pause costs an attempt that would go on from a checkpoint."""
    from sealtrain.rules.proof import CHECKPOINT_DAYS  # seldom needed here

    return (
        f"A checkpoint is kept for {CHECKPOINT_DAYS} days: an attempt that is admitted later than that "
        "begins anew"
    )


def _next_month(begins: datetime) -> datetime:
    return (begins.replace(day=1) + timedelta(days=32)).replace(day=1)
