"""Keep one log entry about a run as it was issued, judge what it tells of, and act on an alarm.

- An alarm is: failed boot integrity, a debuggable launch, a machine that the ledger does not
  know, silence, and a later token of the machine's own that does not meet the policy
  (debug, no TEE, GPU not confidential, another image, …). It makes an alert record, disables the run's key
  versions and asks for teardown.
- Tokens are read from where the workload stores them and judged at the time that storage gives; an
  entry only makes us look. Nothing an entry says can make a verdict better.
- The entry is kept first, and what it says itself is acted on whatever the shown records look like: any VM
  may write those. Later tokens are looked for only of a machine whose first one was accepted.
- Every record is write-once; a second delivery finds it, and does again what may have been cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import canonical, logs, names, records, tables
from sealtrain.rules.capacity import Plan
from sealtrain.rules.cost import seconds_between
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError, RefusedError
from sealtrain.rules.evidence import attested, policy, renewals
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.later import PlaceKey
from sealtrain.rules.ledger import Entry
from sealtrain.rules.order import parse_order
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.bigquery import BigQuery
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.pubsub import PubSub
    from sealtrain.cloud.storage import Storage

Request = msgspec.Raw
"""The entry's own bytes: evidence is kept as it was issued."""


class Result(msgspec.Struct, frozen=True):
    """Where the entry is kept, and the alarm it raised (empty: none)."""

    run: str
    object: str
    alarm: str


def record_attestation(
    request: Request,
    *,
    storage: Storage,
    kms: Kms,
    pubsub: PubSub,
    bigquery: BigQuery,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Record an entry. Raises RefusedError for an entry about no run of this deployment."""
    raw = bytes(request)
    entry = logs.parse(raw)
    run = _known_run(entry, storage, settings)
    name = _keep(storage, names.evidence_bucket(settings), run, logs.object_id(entry, raw), raw)
    entries = ledger.entries(run)
    found = [
        *logs.alarms(entry),
        *logs.unknown_machine(entry, entries),
        *_later_tokens(run, entries, storage, settings),
        *_silence(run, entries, storage, settings, clock()),
    ]
    row = tables.attestation_row(
        run=run,
        kind=entry.log,
        time=entry.timestamp,
        verdict="not_met" if found else "recorded",
        reasons=tuple(finding.reason for finding in found),
        evidence_object=name,
        evidence_sha256=canonical.digest(raw),
        trust_root=None,
    )
    bigquery.insert_rows(names.table(settings, "attestations"), [row], [row["row_id"]])
    alarm = ",".join(sorted({finding.reason for finding in found}))
    if alarm:
        alert = _alert(run, entry, raw, name, tuple(found), storage, settings)
        for version in kms.list_versions(names.run_key(settings, run)):
            if version.state == "ENABLED":
                kms.disable_version(version.name)
        told = "the data key had been handed over" if alert.released else "the data key was not handed over"
        message = {"run": run, "reason": f"alarm about the machine: {alarm}; {told}"}
        pubsub.publish(names.topic(settings, "teardown-requests"), canonical.dumps(message))
    return Result(run=run, object=name, alarm=alarm)


def _known_run(entry: logs.LogEntry, storage: Storage, settings: Settings) -> str:
    run = logs.run_of(entry, settings)
    claimed = run and storage.stat(names.state_bucket(settings), names.claim(run))
    if run is None or not claimed:
        raise RefusedError(
            "the log entry is about no run of this deployment",
            code="unknown_run",
            field="resource",
            got=run or entry.log,
            expected="the name of a run's machine or key",
            remedy="nothing: the entry is dropped; narrow the sink's filter if many come",
        )
    return run


class _Accepted(msgspec.Struct, frozen=True):
    """A machine that was let in: what it showed, and where its later tokens stand."""

    first: records.TokenRecord
    machine: attested.Machine
    place: Callable[[int], str]


def _accepted(run: str, entries: list[Entry], storage: Storage, settings: Settings) -> _Accepted | None:
    """The machine by whose word there can be later tokens, or None: `verify_evidence` says why not."""
    bucket, state = names.evidence_bucket(settings), names.state_bucket(settings)
    verdict, shown = storage.find(bucket, names.verdict(run)), storage.find(bucket, names.token(run))
    if verdict is None or shown is None:
        return None
    if records.parse(verdict, records.VerdictRecord, "verdict.json").verdict != "met":
        return None
    plan = records.parse(storage.get(state, names.plan(run)), Plan, "plan.json")
    key = records.parse(storage.get(state, names.place_key(run)), PlaceKey, "places.json")
    machine = attested.machine_of(entries, plan)
    if machine is None:
        return None
    try:
        first = records.parse(shown, records.TokenRecord, "token.json")
        return _Accepted(first, machine, renewals.places(run, key, first))
    except EvidenceError:  # of what was shown alone: no key, hence no places
        return None


def _later_tokens(run: str, entries: list[Entry], storage: Storage, settings: Settings) -> list[Finding]:
    """Judge the later tokens that have no judgement yet; give what is wrong with the machine's own."""
    bucket = names.evidence_bucket(settings)
    by = _accepted(run, entries, storage, settings)
    if by is None:
        return []
    judged = [one.name for one in storage.list(bucket, names.judgement_prefix(run))]
    new = renewals.newest_first(
        lambda number: storage.stat(bucket, by.place(number)),
        lambda one: names.judgement(run, one.number) not in judged,
    )
    verdicts = [records.parse(storage.get(bucket, name), records.VerdictRecord, name) for name in judged]
    seen = {canonical.digest(by.first.token.encode()), *(one.token_digest for one in verdicts)}
    for one in reversed(new):
        data, name = storage.get(bucket, one.stored.name), names.judgement(run, one.number)
        verdict = _judge(run, by, data, one.stored.created, frozenset(seen), storage, settings)
        with suppress(AlreadyExistsError):  # the first judgement stands
            storage.create(bucket, name, canonical.dumps(verdict))
        verdicts.append(records.parse(storage.get(bucket, name), records.VerdictRecord, name))
        seen.add(verdicts[-1].token_digest)
    return [reason for one in verdicts if not attested.is_foreign(one) for reason in one.reasons]


def _judge(
    run: str,
    by: _Accepted,
    data: bytes,
    created: str,
    seen: frozenset[str],
    storage: Storage,
    settings: Settings,
) -> records.VerdictRecord:
    order = storage.get(names.state_bucket(settings), names.order(run))
    return attested.again(
        data,
        first=by.first,
        order=parse_order(order),
        order_digest=canonical.digest(order),
        machine=by.machine,
        allowed=policy.deployment(settings),
        root_pem=settings.attestation_root,
        at=datetime.fromisoformat(created),
        seen=seen,
    )


def _silence(
    run: str, entries: list[Entry], storage: Storage, settings: Settings, now: datetime
) -> list[Finding]:
    """Give an alarm if the run's machine still stands, is long since made, and never showed a token."""
    gone = {one.name for one in entries if one.kind == "instance" and one.phase == "gone"}
    made = [e for e in entries if e.kind == "instance" and e.phase == "made" and e.name not in gone]
    if not made or seconds_between(made[-1].time, now.isoformat()) < attested.SILENCE_S:
        return []
    if storage.stat(names.evidence_bucket(settings), names.token(run)) is not None:
        return []
    return [attested.silence()]


def _alert(
    run: str,
    entry: logs.LogEntry,
    raw: bytes,
    source: str,
    reasons: tuple[Finding, ...],
    storage: Storage,
    settings: Settings,
) -> records.Alert:
    """Write the alert once; the first one of an entry stands."""
    bucket, name = names.evidence_bucket(settings), names.alert(run, logs.object_id(entry, raw))
    alert = records.Alert(
        run=run,
        time=entry.timestamp,
        reasons=reasons,
        source=source,
        source_sha256=canonical.digest(raw),
        released=storage.stat(names.state_bucket(settings), names.release(run)) is not None,
        policy_version=policy.load().version,
    )
    with suppress(AlreadyExistsError):
        storage.create(bucket, name, canonical.dumps(alert))
    return records.parse(storage.get(bucket, name), records.Alert, name)


def _keep(storage: Storage, bucket: str, run: str, entry_id: str, raw: bytes) -> str:
    """Store the bytes once; another content under a used id gets its digest into the name."""
    name = names.log_entry(run, entry_id)
    try:
        storage.create(bucket, name, raw)
    except AlreadyExistsError:
        if storage.get(bucket, name) == raw:
            return name
        suffix = canonical.hex_of(canonical.digest(raw))[:12]
        other = names.log_entry(run, f"{entry_id}.{suffix}")
        if storage.stat(bucket, other) is None:
            storage.create(bucket, other, raw)
        return other
    return name
