"""Hand the wrapped key over to the attested VM; called again, look how the job stands.

- Nothing is handed over but after a verdict `met` on this very order, and nothing once an alarm is on
  record: disabling the run's key does not close a key of the data's owner.
- What the workload said is looked at first; only if it is silent, the VM, and then once more what it
  said: a workload that finished in between is not taken for lost. Its last message has a minute to
  arrive; where the VM is gone already, the workflow waits that minute before it asks once more.
- A receipt says SUCCEEDED here and proves nothing yet: publish_model checks it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from sealtrain.rules import job_reasons, machine, names, records
from sealtrain.rules.errors import EvidenceError, NotReadyError
from sealtrain.rules.order import HeldKey
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage

LAST_WORD_S = 60
"""How long after a VM's end its last message may still come."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """How the job stands; `reason` is empty unless it failed or was lost."""

    run: str
    state: Literal["RUNNING", "SUCCEEDED", "FAILED", "LOST"]
    reason: str


def submit_job(
    request: Request,
    *,
    storage: Storage,
    state: State,
    compute: Compute,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Release once, then look. Raises EvidenceError without an accepting verdict."""
    run = names.checked_run_id(request.run)
    _, order_digest = state.order(run)
    _check_verdict(run, order_digest, storage, settings)
    if state.find(names.release(run), HeldKey) is None:
        state.must_go_on(run)
        _check_alarms(run, storage, settings)
        state.keep(names.release(run), state.held(run, order_digest))
        return Result(run=run, state="RUNNING", reason="")  # nothing can have been done with it yet
    said = _said(run, storage, state, settings)
    if said is None:
        ended = _ended(run, compute, ledger, clock())
        said = _said(run, storage, state, settings)
        if said is None and ended:
            return Result(run=run, state="LOST", reason=ended)
    return said or Result(run=run, state="RUNNING", reason="")


def _said(run: str, storage: Storage, state: State, settings: Settings) -> Result | None:
    """What the workload itself has told of its end; None while it has told nothing."""
    completion = state.find(names.completion(run), records.Completion)
    if completion is not None and completion.state == "failed":
        reason = job_reasons.told(completion.reason) or "no reason given"
        return Result(run=run, state="FAILED", reason=reason)
    if storage.stat(names.evidence_bucket(settings), names.receipt(run)) is not None:
        return Result(run=run, state="SUCCEEDED", reason="")
    return None


def _check_verdict(run: str, order_digest: str, storage: Storage, settings: Settings) -> None:
    data = storage.find(names.evidence_bucket(settings), names.verdict(run))
    if data is None:
        raise NotReadyError(
            "there is no verdict on the VM's evidence yet",
            field="verdict",
            expected="met",
            remedy="ask again",
        )
    verdict = records.parse(data, records.VerdictRecord, "verdict.json")
    for field, got, expected in (
        ("verdict", verdict.verdict, "met"),
        ("order_digest", verdict.order_digest, order_digest),
        ("run", verdict.run, run),
    ):
        if got != expected:
            raise EvidenceError(
                "the key stays closed: the VM's evidence was not accepted for this order",
                field=field,
                got=got,
                expected=expected,
                remedy="read the reasons in verdict.json",
            )


def _check_alarms(run: str, storage: Storage, settings: Settings) -> None:
    raised = storage.list(names.evidence_bucket(settings), names.alert_prefix(run))
    if raised:
        raise EvidenceError(
            "the key stays closed: an alarm about the machine is on record",
            field="alerts",
            got=raised[0].name,
            expected="none",
            remedy="read the alert's reasons with `sealtrain explain RUN`; start another attempt",
        )


def _ended(run: str, compute: Compute, ledger: Ledger, now: datetime) -> str:
    """Why the VM counts as ended without a word; empty while it may still speak."""
    made = [e for e in ledger.entries(run) if (e.kind, e.phase) == ("instance", "made")]
    if not made:
        return "no VM was made for this run"
    found = compute.get("instance", made[-1].name)
    if found is None:
        return "the VM is gone and left no word"
    return machine.end_of(found, now, LAST_WORD_S)
