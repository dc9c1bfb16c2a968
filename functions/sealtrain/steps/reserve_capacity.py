"""Ask for the capacity that the plan needs ahead of the VM; called again to look how it stands.

- On demand: nothing to reserve. Reservation: the first zone of the plan that has it; its own end time
  bounds what it can cost. Flex-start: a template, a group that does not repair, a resize request.
- Runs after the dataset is sealed, because capacity bills from its grant.
- Waiting ends: what is not granted in time is given up, and teardown cancels it.
- Which zones refused is read from the ledger, so that a repeat goes on after them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sealtrain.rules import machine, names
from sealtrain.rules.capacity import Attempt, remaining, wait_s
from sealtrain.rules.errors import AlreadyExistsError, NotReadyError, StockOutError
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.resources import MachineKind, Resource
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.state import State

State_ = Literal["none", "granted", "waiting"]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """`waiting` means: ask again; the platform has the request."""

    run: str
    state: State_


def reserve_capacity(
    request: Request,
    *,
    state: State,
    compute: Compute,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Create or look. Raises StockOutError when no zone has the capacity, or not in time."""
    run = names.checked_run_id(request.run)
    frozen, plan = state.job(run), state.plan(run)
    state.must_go_on(run)
    maker = _Maker(run, frozen, compute, ledger, settings)
    found: State_ = "none"
    if frozen.job.machine.mode == "reservation":
        found = maker.reserve(remaining(plan, ledger.entries(run), "reservation"))
    elif frozen.job.machine.mode == "flex-start":
        found = maker.queue(plan.attempts[0], state.order(run)[1])
    waits_since = datetime.fromisoformat(frozen.admitted_at)
    if found == "waiting" and (clock() - waits_since).total_seconds() > wait_s(frozen.job):
        raise _stock_out(frozen, f"nothing granted in {wait_s(frozen.job)} s")
    return Result(run=run, state=found)


class _Maker:
    """Makes one run's resources, each intent first, each create-or-compare by name."""

    def __init__(
        self, run: str, frozen: FrozenJob, compute: Compute, ledger: Ledger, settings: Settings
    ) -> None:
        self._run = run
        self._frozen = frozen
        self._compute = compute
        self._ledger = ledger
        self._settings = settings

    def reserve(self, attempts: tuple[Attempt, ...]) -> State_:
        """Reserve in the first zone that can."""
        for attempt in attempts:
            name = names.reservation(self._settings, self._run, attempt.zone)
            body = machine.reservation(self._settings, self._frozen, attempt)
            try:
                found = self._make("reservation", name, body)
            except StockOutError:
                continue
            if found.status != "READY":
                return "waiting"
            self._made(found, name)
            return "granted"
        raise _stock_out(self._frozen, "no zone of the plan can reserve it")

    def queue(self, attempt: Attempt, order_digest: str) -> State_:
        """Template, group, request: the VM starts when the platform grants it."""
        settings, run, zone = self._settings, self._run, attempt.zone
        body = machine.template(settings, self._frozen, attempt, order_digest)
        template, group = names.template(settings, run), names.group(settings, run, zone)
        self._made(self._make("template", template, body), template)
        self._made(self._make("group", group, machine.group(settings, run)), group)
        name, wanted = names.request(settings, run, zone), machine.resize_request(settings, self._frozen)
        found = self._make("request", name, wanted)
        self._made(found, name)
        if found.status in {"FAILED", "CANCELLED"}:
            raise _stock_out(self._frozen, f"the flex-start request is {found.status}")
        return "granted" if found.status == "SUCCEEDED" else "waiting"

    def _make(self, kind: MachineKind, name: str, body: dict[str, Any]) -> Resource:
        with self._ledger.making(self._run, kind, name):
            found = self._compute.get(kind, name)
            if found is None:
                try:
                    operation = self._compute.insert(kind, name, body, machine.request_id(name))
                except AlreadyExistsError:
                    operation = None
                if operation and not operation.done:
                    self._compute.get_operation(operation)
                found = self._compute.get(kind, name)
            if found and kind == "reservation" and found.status not in {"CREATING", "UPDATING", "READY"}:
                raise _stock_out(self._frozen, f"the reservation is {found.status}")
        if found is None:
            raise NotReadyError("the platform is still making it", field=name, remedy="ask again")
        machine.check_same(found, body)
        return found

    def _made(self, found: Resource, name: str) -> None:
        self._ledger.made(self._run, found.kind, name, {"id": found.id, "created": found.created})


def _stock_out(frozen: FrozenJob, got: str) -> StockOutError:
    return StockOutError(
        "this machine cannot be had now",
        field="machine.shape",
        got=f"{frozen.job.machine.shape}, {frozen.job.machine.mode}: {got}",
        remedy="start another attempt later, or ask for another machine",
    )
