"""Past its budget a deployment admits no new run: what a notification says, and the pause that follows.

- Google tells the cost of a calendar month several times a day, whatever it is, hours after it arose. So a
  pause keeps the next run from starting; what ends a running one is the end time that the server enforces.
- A pause belongs to its month and ends with it. Who raises the budget removes the record, and runs are
  admitted again at once; while the cost is past the budget, the next notification writes another.
- A month begins at midnight in Pacific time. The record is named by the month, so there is one to look for.

Source: the notification format, schema version 1.0
(https://cloud.google.com/billing/docs/how-to/budgets-programmatic-notifications#notification_format).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from sealtrain.rules import names
from sealtrain.rules.errors import InvalidRequestError, RefusedError
from sealtrain.rules.settings import Settings

PREFIX = "paused/"
_PACIFIC = timedelta(hours=8)  # behind UTC; in summer 7, so that a month is looked for an hour late
_LONGEST_AGO = timedelta(days=62)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Since when, until when and for which cost no run is admitted. Amounts in `currency`."""

    since: Moment
    until: Moment
    cost: float
    budget: float
    currency: str


def display_name(s: Settings) -> str:
    """The budget's name, which its notifications bear."""
    return f"{s.deployment} {s.project}"


def record(month_begins: datetime) -> str:
    """State: the pause of a month that begins then."""
    return f"{PREFIX}{month_begins.astimezone(UTC):%Y-%m}.json"


def record_now(now: datetime) -> str:
    """State: the pause of the month that it is in Pacific time."""
    return record(now - _PACIFIC)


def pause(begins: datetime, cost: float, budget: float, currency: str, now: datetime) -> Pause | None:
    """The pause that this cost leads to; None while the budget is not reached. Raises InvalidRequestError."""
    if not timedelta(0) <= now - begins <= _LONGEST_AGO:
        raise InvalidRequestError(
            "a budget notification of another time",
            field="costIntervalStart",
            got=begins.isoformat(),
            expected="the beginning of this month or of the last",
        )
    if cost < budget:
        return None
    return Pause(since=now, until=_next_month(begins), cost=cost, budget=budget, currency=currency)


def check(found: Pause | None, s: Settings, now: datetime) -> None:
    """Raise RefusedError while a pause holds."""
    if found is not None and now < found.until:
        raise RefusedError(
            "no run is admitted: this month's cost has reached the budget",
            code="paused",
            field="budget",
            got=f"{found.cost:.2f} {found.currency}",
            expected=f"less than {found.budget:.2f} {found.currency}",
            remedy=f"submit it as another attempt from {found.until:%Y-%m-%d %H:%M} UTC on; or sooner, once "
            f"the operator raised the budget and removed {names.gs(names.state_bucket(s), record_now(now))}",
        )


def _next_month(begins: datetime) -> datetime:
    return (begins.replace(day=1) + timedelta(days=32)).replace(day=1)
