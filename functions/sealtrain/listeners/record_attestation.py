"""Keep one log entry about a run as it was issued, write a row about it, and act on an alarm.

An alarm (failed boot integrity, debuggable launch, refused attestation) disables the run's key versions
and asks for teardown. Nothing an entry says can make a verdict better.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import canonical, logs, names, tables
from sealtrain.rules.errors import AlreadyExistsError, RefusedError
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.bigquery import BigQuery
    from sealtrain.cloud.kms import Kms
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
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # the entry brings its own time
) -> Result:
    """Record an entry. Raises RefusedError for an entry about no run of this deployment."""
    raw = bytes(request)
    entry = logs.parse(raw)
    run = _known_run(entry, storage, settings)
    found = logs.alarms(entry)
    name = _keep(storage, names.evidence_bucket(settings), run, logs.object_id(entry, raw), raw)
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
        for version in kms.list_versions(names.run_key(settings, run)):
            if version.state == "ENABLED":
                kms.disable_version(version.name)
        released = storage.stat(names.state_bucket(settings), names.release(run)) is not None
        told = "the data key had been handed over" if released else "the data key was not handed over"
        message = {"run": run, "reason": f"alarm in the platform's log: {alarm}; {told}"}
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
