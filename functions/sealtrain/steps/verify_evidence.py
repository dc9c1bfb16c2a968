"""Judge the machine's attestation token and put the verdict on record, before any key moves.

The first verdict stands; called again gives it again. A token that is refused, and a machine that
ends or stays silent without one, disables the run's key versions: nothing can open the data then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from sealtrain.rules import canonical, machine, names, records
from sealtrain.rules.capacity import Plan
from sealtrain.rules.cost import seconds_between
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError, NotReadyError
from sealtrain.rules.evidence import attested, policy, token
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.order import parse_order
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.storage import Storage

SILENCE_S = 900
"""How long a machine may run before it has shown a token (a GPU's driver takes minutes)."""


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
    kms: Kms,
    compute: Compute,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Judge once. Raises NotReadyError while the machine may still speak, EvidenceError if refused."""
    run = names.checked_run_id(request.run)
    verdict = _find_verdict(storage, settings, run)
    if verdict is None:
        verdict = _keep(storage, settings, _judge(run, storage, compute, ledger, settings, clock()))
    if verdict.verdict == "met":
        return Result(run=run, verdict="met", trust_root=verdict.trust_root)
    for version in kms.list_versions(names.run_key(settings, run)):
        if version.state == "ENABLED":
            kms.disable_version(version.name)
    first = verdict.reasons[0]
    raise EvidenceError(
        f"the machine's evidence is refused: {', '.join(sorted({r.reason for r in verdict.reasons}))}",
        field=first.field,
        got=first.got,
        expected=first.expected,
        remedy="the key stays closed; read verdict.json, correct the cause, start another attempt",
    )


def _judge(
    run: str, storage: Storage, compute: Compute, ledger: Ledger, settings: Settings, now: datetime
) -> records.VerdictRecord:
    state = names.state_bucket(settings)
    data = storage.get(state, names.order(run))
    order, order_digest = parse_order(data), canonical.digest(data)
    plan = records.parse(storage.get(state, names.plan(run)), Plan, "plan.json")
    found = attested.machine_of(ledger.entries(run), plan)
    if found is None:
        raise _not_yet("no machine is on the ledger")
    evidence, name = names.evidence_bucket(settings), names.token(run)
    shown, ended = storage.find(evidence, name), ""
    if shown is None:
        # Looked for again after the machine: one that spoke and then ended is not taken for silent.
        ended = _ended(compute, found.name, now)
        shown = storage.find(evidence, name)
    if shown is None:
        if not ended and seconds_between(found.made, now.isoformat()) < SILENCE_S:
            raise _not_yet("no token yet")
        return _refused(run, order_digest, now, _silence(ended))
    try:
        record = records.parse(shown, records.TokenRecord, "token.json")
        expected = attested.expectation(
            order=order,
            order_digest=order_digest,
            record=record,
            machine=found,
            allowed=policy.deployment(settings),
            root_pem=settings.attestation_root,
            at=now,
        )
    except EvidenceError as error:
        return _refused(run, order_digest, now, _broken(error))
    judgement = attested.judge(record, expected, order_digest)
    return records.VerdictRecord(
        run=run,
        verdict="met" if judgement.met else "not_met",
        reasons=judgement.findings,
        time=now.isoformat(),
        order_digest=order_digest,
        token_digest=judgement.token_digest,
        trust_root=judgement.trust_root,
        policy_version=judgement.policy_version,
        policy_digest=judgement.policy_digest,
        verifier=judgement.verifier,
        allowed=expected.allowed,
    )


def _ended(compute: Compute, name: str, now: datetime) -> str:
    found = compute.get("instance", name)
    return "the machine is gone" if found is None else machine.end_of(found, now, patience_s=0)


def _refused(run: str, order_digest: str, now: datetime, finding: Finding) -> records.VerdictRecord:
    return records.VerdictRecord(
        run=run,
        verdict="not_met",
        reasons=(finding,),
        time=now.isoformat(),
        order_digest=order_digest,
        token_digest="",
        trust_root=token.NOTHING_ATTESTED,
        policy_version=policy.load().version,
        policy_digest=policy.load().digest,
        verifier=token.VERIFIER,
    )


def _silence(ended: str) -> Finding:
    return Finding(
        reason="silence",
        field="token",
        got=ended or f"no token within {SILENCE_S} s",
        expected="a token before anything else",
        sentence="A machine that runs shows who it is.",
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
