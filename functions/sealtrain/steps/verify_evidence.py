"""Judge the machine's attestation token and put the verdict on record, before any key moves.

- The first verdict stands; called again gives it again. A refusal stands by itself. An acceptance has to
  follow once more from token, order, plan and ledger at its recorded time, under what is allowed now:
  whoever could place a record in the bucket has not thereby accepted a machine.
- A token that is refused, and a machine that ends or stays silent without one, disables the run's key
  versions: nothing can open the data then. So does a machine that goes on and shows no fresh token any more,
  or a worse one. Such a loss is a record of its own; the first one stands, whatever the machine shows later.
- The silence of a machine that is taken down on request is no finding.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from sealtrain.rules import canonical, machine, names, records
from sealtrain.rules.capacity import Plan
from sealtrain.rules.cost import seconds_between
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError, NotReadyError
from sealtrain.rules.evidence import attested, policy, renewals, token
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.later import PlaceKey
from sealtrain.rules.order import Order, parse_order
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage

FRESH_TOKENS_MISSED = 2
"""How many intervals of fresh tokens a machine may miss; it tries ten times in each."""
SKEW = timedelta(minutes=5)
"""How far the clocks of two functions may be apart."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """The accepting verdict (any other is raised), and whose word it rests on."""

    run: str
    verdict: Literal["met", "not_met"]
    trust_root: str


def verify_evidence(
    request: Request,
    *,
    storage: Storage,
    state: State,
    kms: Kms,
    compute: Compute,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Judge once. Raises NotReadyError while the machine may still speak, EvidenceError if refused.

    JobFailedError for the silence of a machine whose teardown was asked for.
    """
    run = names.checked_run_id(request.run)
    case = _case(run, storage, ledger, settings)
    verdict = _find_verdict(storage, settings, run)
    if verdict is None:
        verdict = _keep(storage, settings, _first(case, storage, state, compute, settings, clock()))
    reasons = verdict.reasons
    if verdict.verdict == "met":
        reasons = _objections(verdict, case, storage, settings, clock())
        reasons = reasons or _lost_since(case, storage, compute, settings, clock())
        if not reasons:
            return Result(run=run, verdict="met", trust_root=verdict.trust_root)
    for version in kms.list_versions(names.run_key(settings, run)):
        if version.state == "ENABLED":
            kms.disable_version(version.name)
    to_do = attested.TO_DO[_is_released(run, storage, settings)]
    first = reasons[0] if reasons else _finding("malformed", "reasons", "none", "why it was refused")
    raise EvidenceError(
        f"the machine's evidence is refused: {', '.join(sorted({r.reason for r in reasons}))}",
        field=first.field,
        got=first.got,
        expected=first.expected,
        remedy=f"{to_do}; `sealtrain explain {run}` tells of each reason",
    )


class _Case(msgspec.Struct, frozen=True):
    """What a token of this run is judged by: its own records, none of them the verdict's."""

    run: str
    order: Order
    order_digest: str
    machine: attested.Machine


def _case(run: str, storage: Storage, ledger: Ledger, settings: Settings) -> _Case:
    state = names.state_bucket(settings)
    data = storage.get(state, names.order(run))
    order, order_digest = parse_order(data), canonical.digest(data)
    plan = records.parse(storage.get(state, names.plan(run)), Plan, "plan.json")
    found = attested.machine_of(ledger.entries(run), plan)
    if found is None:
        raise _not_yet("no machine is on the ledger")
    return _Case(run, order, order_digest, found)


def _first(
    case: _Case, storage: Storage, state: State, compute: Compute, settings: Settings, now: datetime
) -> records.VerdictRecord:
    """The verdict on what the machine has shown, or on its silence."""
    evidence, name = names.evidence_bucket(settings), names.token(case.run)
    shown, ended = storage.find(evidence, name), ""
    if shown is None:
        # Looked for again after the machine: one that spoke and then ended is not taken for silent.
        ended = _ended(compute, case.machine.name, now)
        shown = storage.find(evidence, name)
    if shown is None:
        if not ended and seconds_between(case.machine.made, now.isoformat()) < attested.SILENCE_S:
            raise _not_yet("no token yet")
        state.must_go_on(case.run)
        return _refused(case, now, attested.silence(ended))
    return _judge(case, shown, settings, now)


def _judge(case: _Case, shown: bytes, settings: Settings, at: datetime) -> records.VerdictRecord:
    try:
        record = records.parse(shown, records.TokenRecord, "token.json")
        expected = attested.expectation(
            order=case.order,
            order_digest=case.order_digest,
            record=record,
            machine=case.machine,
            allowed=policy.deployment(settings),
            root_pem=settings.attestation_root,
            at=at,
        )
    except EvidenceError as error:
        return _refused(case, at, _broken(error))
    judgement = attested.judge(record, expected, case.order_digest)
    return records.VerdictRecord(
        run=case.run,
        verdict="met" if judgement.met else "not_met",
        reasons=judgement.findings,
        time=at.isoformat(),
        order_digest=case.order_digest,
        token_digest=judgement.token_digest,
        trust_root=judgement.trust_root,
        policy_version=judgement.policy_version,
        policy_digest=judgement.policy_digest,
        verifier=judgement.verifier,
        allowed=expected.allowed,
    )


def _objections(
    verdict: records.VerdictRecord, case: _Case, storage: Storage, settings: Settings, now: datetime
) -> tuple[Finding, ...]:
    """Why an acceptance on record does not follow from the run's records; none if it does."""
    shown = storage.find(names.evidence_bucket(settings), names.token(case.run))
    if shown is None:
        return (_finding("verdict", "token", "an acceptance without a token", "a token"),)
    made = datetime.fromisoformat(case.machine.made)
    try:
        at = datetime.fromisoformat(verdict.time)
        inside = made - SKEW <= at <= now + SKEW
    except (ValueError, TypeError):
        inside = False
    if not inside:
        lived = f"a time from {case.machine.made} to {now.isoformat()}"
        return (_finding("verdict", "time", verdict.time, lived),)
    again = _judge(case, shown, settings, at)
    if again.verdict != "met":
        return again.reasons
    return tuple(
        _finding("verdict", field, getattr(verdict, field), getattr(again, field))
        for field in ("run", "order_digest", "token_digest", "trust_root")
        if getattr(verdict, field) != getattr(again, field)
    )


def _lost_since(
    case: _Case, storage: Storage, compute: Compute, settings: Settings, now: datetime
) -> tuple[Finding, ...]:
    """Why an accepted machine has lost its attestation, put on record; none while it does not."""
    bucket, name = names.evidence_bucket(settings), names.lost(case.run)
    if storage.stat(bucket, name) is None:
        token_name, reasons = _look_again(case, storage, compute, settings, now)
        if not reasons:
            return ()
        loss = records.Loss(
            run=case.run,
            time=now.isoformat(),
            reasons=reasons,
            token=token_name,
            token_sha256=canonical.digest(storage.get(bucket, token_name)),
            released=_is_released(case.run, storage, settings),
            policy_version=policy.load().version,
            policy_digest=policy.load().digest,
            verifier=token.VERIFIER,
        )
        with suppress(AlreadyExistsError):  # the first one stands
            storage.create(bucket, name, canonical.dumps(loss))
    return records.parse(storage.get(bucket, name), records.Loss, "lost.json").reasons


def _look_again(
    case: _Case, storage: Storage, compute: Compute, settings: Settings, now: datetime
) -> tuple[str, tuple[Finding, ...]]:
    """The name of the refused or the newest good token, and why the attestation is lost, if it is.

    A token is judged at the time at which the storage took it. Looked at are those that can still be fresh,
    and those that a fresh one can be a copy of, where the machine alone can have put them (rules/later.py).
    """
    bucket, first = names.evidence_bucket(settings), names.token(case.run)
    every_s, rules = case.order.evidence.renew_s, policy.load().token
    missed_s = FRESH_TOKENS_MISSED * every_s
    back_s = missed_s + rules.max_lifetime_s + 2 * rules.max_skew_s
    record = records.parse(storage.get(bucket, first), records.TokenRecord, "token.json")
    key = records.parse(
        storage.get(names.state_bucket(settings), names.place_key(case.run)), PlaceKey, "places.json"
    )
    place = renewals.places(case.run, key, record)
    shown = renewals.newest_first(
        lambda number: storage.stat(bucket, place(number)),
        lambda one: seconds_between(one.stored.created, now.isoformat()) <= back_s,
    )
    newest = storage.stat(bucket, first)
    if newest is None:
        raise _not_yet("no token any more")
    seen: set[str] = {canonical.digest(record.token.encode())}
    for one in reversed(shown):
        verdict = attested.again(
            storage.get(bucket, one.stored.name),
            first=record,
            order=case.order,
            order_digest=case.order_digest,
            machine=case.machine,
            allowed=policy.deployment(settings),
            root_pem=settings.attestation_root,
            at=datetime.fromisoformat(one.stored.created),
            seen=frozenset(seen),
        )
        if attested.is_foreign(verdict):
            continue
        if verdict.reasons:
            return one.stored.name, verdict.reasons
        newest = one.stored
        seen.add(verdict.token_digest)
    age_s = seconds_between(newest.created, now.isoformat())
    if age_s <= missed_s or _ended(compute, case.machine.name, now):
        return newest.name, ()
    silence = _finding("silence", "token", f"the newest is {age_s:.0f} s old", f"one every {every_s} s")
    return newest.name, (silence,)


def _is_released(run: str, storage: Storage, settings: Settings) -> bool:
    return storage.stat(names.state_bucket(settings), names.release(run)) is not None


def _ended(compute: Compute, name: str, now: datetime) -> str:
    found = compute.get("instance", name)
    return "the machine is gone" if found is None else machine.end_of(found, now, patience_s=0)


def _refused(case: _Case, at: datetime, finding: Finding) -> records.VerdictRecord:
    return records.VerdictRecord(
        run=case.run,
        verdict="not_met",
        reasons=(finding,),
        time=at.isoformat(),
        order_digest=case.order_digest,
        token_digest="",
        trust_root=token.NOTHING_ATTESTED,
        policy_version=policy.load().version,
        policy_digest=policy.load().digest,
        verifier=token.VERIFIER,
    )


def _finding(reason: str, field: str, got: object, expected: object) -> Finding:
    return Finding(
        reason=reason,
        field=field,
        got=str(got)[:200],
        expected=str(expected)[:200],
        sentence="A verdict follows from the run's own records.",
    )


def _broken(error: EvidenceError) -> Finding:
    return Finding(
        reason="malformed",
        field=error.body.field or "token",
        got=error.body.got or "",
        expected=error.body.expected or "",
        sentence="The evidence is what a workload of ours writes.",
    )


def _not_yet(what: str) -> NotReadyError:
    return NotReadyError(
        "the machine has not shown its evidence", field="token", got=what, remedy="ask again"
    )


def _find_verdict(storage: Storage, settings: Settings, run: str) -> records.VerdictRecord | None:
    data = storage.find(names.evidence_bucket(settings), names.verdict(run))
    return None if data is None else records.parse(data, records.VerdictRecord, "verdict.json")


def _keep(storage: Storage, settings: Settings, verdict: records.VerdictRecord) -> records.VerdictRecord:
    bucket, name = names.evidence_bucket(settings), names.verdict(verdict.run)
    with suppress(AlreadyExistsError):  # the first verdict stands
        storage.create(bucket, name, canonical.dumps(verdict))
    return records.parse(storage.get(bucket, name), records.VerdictRecord, "verdict.json")
