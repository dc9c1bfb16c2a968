"""What a run's machine cost, estimated: time between made and seen absent, at the plan's price.

The time is an upper bound, as a machine is seen absent later than it is gone. Disks, network, key
service, storage and taxes are not in it; it is an estimate and never a bill.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sealtrain.rules.capacity import Plan
from sealtrain.rules.proof import Lifetime

NOT_INCLUDED = "disks, network, key service, storage, taxes and discounts"


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An estimate in US dollars, with the price's source, grade and date."""

    usd: float
    usd_worst_case: float
    machine_seconds: int
    usd_per_hour: float
    price_source: str
    price_grade: str
    price_dated: str
    not_included: str = NOT_INCLUDED


def estimate(plan: Plan | None, lifetimes: Iterable[Lifetime], until: str) -> Cost | None:
    """Estimate the cost; a machine not yet seen absent is counted `until` that time."""
    if plan is None:
        return None
    billed = {"instance": 0, "reservation": 0}
    for line in lifetimes:
        if line.kind in billed and line.created:
            billed[line.kind] += seconds_between(line.created, line.seen_absent or until)
    # A machine inside its reservation is billed once; a reservation also while it stands idle.
    seconds = max(billed.values())
    return Cost(
        usd=round(plan.usd_per_hour * seconds / 3600, 4),
        usd_worst_case=plan.worst_case_usd,
        machine_seconds=seconds,
        usd_per_hour=plan.usd_per_hour,
        price_source=plan.price_source,
        price_grade=plan.price_grade,
        price_dated=plan.price_dated,
    )


def seconds_between(start: str, end: str) -> int:
    """Give the whole seconds, rounded up, between two RFC 3339 times; never less than zero."""
    span = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return max(0, -int(-span // 1))
