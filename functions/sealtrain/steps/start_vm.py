"""Start the run's confidential VM, or find the one that was started. Never a second one.

- The zones of the plan are tried in order; only a stock-out leads to the next. Which zones refused is read
  from the ledger, so that a repeat goes on after them, with the same request id.
- A VM that is listed is made only once it is past PROVISIONING: until then a stock-out may still be told, by
  the operation alone. Asked again, the platform answers the same request id with the same operation.
- A flex-start VM is made by its group; it is found and compared all the same.
- Once the ledger says `made`, the VM is not made again, even when it has ended since.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import machine, names
from sealtrain.rules.capacity import Attempt, Plan, remaining
from sealtrain.rules.errors import AlreadyExistsError, NotReadyError, StockOutError
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.ledger import Entry, zone_of
from sealtrain.rules.resources import Resource
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.state import State


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """The VM's full name and its zone."""

    run: str
    instance: str
    zone: str


def start_vm(
    request: Request,
    *,
    state: State,
    compute: Compute,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # the platform keeps the time
) -> Result:
    """Create or compare. Raises StockOutError when no zone has the machine, NotReadyError meanwhile."""
    run = names.checked_run_id(request.run)
    frozen, plan = state.job(run), state.plan(run)
    _, order_digest = state.order(run)
    state.must_go_on(run)
    entries = ledger.entries(run)
    planned = {names.instance(settings, run, attempt.zone) for attempt in plan.attempts}
    for entry in entries:
        if (entry.kind, entry.phase) == ("instance", "made") and entry.name in planned:
            return Result(run=run, instance=entry.name, zone=zone_of(entry.name))
    for attempt in _attempts(plan, entries):
        name = names.instance(settings, run, attempt.zone)
        try:
            with ledger.making(run, "instance", name, {"order_digest": order_digest}):
                found = _start(name, attempt, frozen, order_digest, compute, settings)
        except StockOutError:
            continue
        machine.check_same_instance(found, settings, frozen, order_digest)
        detail = {"id": found.id, "created": found.created, "kms_key": machine.disk_key(found)}
        if found.status == "PROVISIONING":
            ledger.listed(run, "instance", name, detail)
            raise _still_made(name)
        ledger.made(run, "instance", name, detail)
        return Result(run=run, instance=name, zone=attempt.zone)
    raise StockOutError(
        "no zone of the plan has this machine now",
        field="machine.shape",
        got=", ".join(attempt.zone for attempt in plan.attempts),
        remedy="try later, or ask for another machine.shape or mode",
    )


def _attempts(plan: Plan, entries: list[Entry]) -> tuple[Attempt, ...]:
    """What is left of the plan; where capacity was reserved, only its zone."""
    reserved = [zone_of(e.name) for e in entries if e.kind == "reservation" and e.phase == "made"]
    left = remaining(plan, entries, "instance")
    return tuple(a for a in left if a.zone in reserved) if reserved else left


def _start(
    name: str, attempt: Attempt, frozen: FrozenJob, order_digest: str, compute: Compute, settings: Settings
) -> Resource:
    found = compute.get("instance", name)
    if found is None and attempt.mode != "flex-start":
        body = machine.instance(settings, frozen, attempt, order_digest)
        try:
            operation = compute.insert("instance", name, body, machine.request_id(name))
            if not operation.done:
                compute.get_operation(operation)
        except AlreadyExistsError:
            pass  # Made meanwhile; compared below like any other.
        found = compute.get("instance", name)
    if found is None:
        raise _still_made(name)
    return found


def _still_made(name: str) -> NotReadyError:
    return NotReadyError("the platform is still making the VM", field=name, remedy="ask again")
