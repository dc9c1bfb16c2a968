"""Admit no new run once the month's cost has reached the budget.

Google's budget sends its notification several times a day, whatever the cost is; the one that says "reached"
writes the pause, which admit_run reads. Running runs go on to their end.
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
    cost_amount: float
    cost_interval_start: budget.Moment
    budget_amount: Annotated[float, msgspec.Meta(gt=0)]
    currency_code: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]


class Result(msgspec.Struct, frozen=True):
    """Cost and budget in `currency`; whether this notification pauses admission, and until when.

    `paused` false says nothing of a pause that stands: it ends with its month, or is removed by a person.
    """

    paused: bool
    until: str
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
    begins, cost, amount = request.cost_interval_start, request.cost_amount, request.budget_amount
    pause = budget.pause(begins, cost, amount, request.currency_code, clock())
    if pause is not None:
        pause = state.keep(budget.record(begins), pause)
    return Result(
        paused=pause is not None,
        until=pause.until.isoformat() if pause else "",
        cost=cost,
        budget=amount,
        currency=request.currency_code,
    )
