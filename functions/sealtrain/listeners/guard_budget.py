"""Admit no new run once the month's cost has reached the budget.

Google's budget sends its notification several times a day, whatever the cost is, and Pub/Sub may deliver
each again. The first one that says that a further mark is reached (rules/budget.py) writes a pause, which
admit_run reads; any other changes nothing, so a pause that an operator lifted stays lifted until the next
mark. The one record decides: a delivery that was cut off before it is judged anew, one after it finds it.
Running runs go on to their end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from sealtrain.rules import budget
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.state import State


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """What is used of a budget notification; Google adds fields to it, so others are left alone."""

    budget_display_name: str
    cost_amount: budget.Cost
    cost_interval_start: budget.Moment
    budget_amount: budget.Budget
    currency_code: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]


class Result(msgspec.Struct, frozen=True):
    """What admission is told now, and what the notification said: cost and budget in `currency`.

    `paused` and `until` are of the pause that stands, whichever notification made it; `made`: this one did.
    """

    paused: bool
    until: str
    made: bool
    cost: float
    budget: float
    currency: str


def guard_budget(
    request: Request,
    *,
    state: State,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result | None:
    """Judge one notification; nothing for a budget that is not this deployment's."""
    if request.budget_display_name != budget.display_name(settings):
        return None
    now = clock()
    made = _pause(request, state, now)
    stands = state.pause(now)
    paused = stands is not None and now < stands.until
    return Result(
        paused=paused,
        until=stands.until.isoformat() if stands is not None and paused else "",
        made=made,
        cost=request.cost_amount,
        budget=request.budget_amount,
        currency=request.currency_code,
    )


def _pause(request: Request, state: State, now: datetime) -> bool:
    """Write the pause that this notification leads to, if its mark is a further one."""
    begins = request.cost_interval_start
    asked = budget.pause(begins, request.cost_amount, request.budget_amount, request.currency_code, now)
    if asked is None:
        return False
    name = budget.record(begins, asked)
    if not budget.is_further(name, state.listed(budget.folder(begins))):
        return False
    return state.keep(name, asked) == asked
