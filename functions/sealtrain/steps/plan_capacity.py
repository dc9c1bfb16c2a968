"""Plan where and how the run's machine is to be had. Calling twice gives the same plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import names
from sealtrain.rules.capacity import plan
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.state import State


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """How many attempts there are, and the first of them."""

    run: str
    attempts: int
    shape: str
    zone: str
    mode: str


def plan_capacity(
    request: Request,
    *,
    state: State,
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # a plan depends on the job alone
) -> Result:
    """Write the plan. Raises UnsupportedError or RefusedError as admission would."""
    run = names.checked_run_id(request.run)
    kept = state.keep(names.plan(run), plan(state.job(run), settings.region))
    first = kept.attempts[0]
    return Result(run=run, attempts=len(kept.attempts), shape=first.shape, zone=first.zone, mode=first.mode)
