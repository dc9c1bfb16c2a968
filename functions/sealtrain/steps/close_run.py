"""Close a run, however it ended: gather its records, sign the bundle, write reports, rows, and the end.

A missing record is no error here; it makes a claim `no_evidence`. The bundle that was signed first
stands, and everything after it is made from that bundle, so that a repeat writes the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from sealtrain.rules import bundle, canonical, names, records, report, signing, tables
from sealtrain.rules.attempts import following
from sealtrain.rules.claims import evaluate
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError, NotReadyError
from sealtrain.rules.evidence import policy
from sealtrain.rules.facts import Evidence, Facts, Record
from sealtrain.rules.ledger import is_entry
from sealtrain.rules.outcome import outcome_of
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, run_of

if TYPE_CHECKING:
    from sealtrain.cloud.bigquery import BigQuery
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.storage import Storage

LOGS_MAX = 1000
LOGS_MAX_BYTES = 8 << 20
"""What goes of the log entries into a bundle. All of them stay in the evidence bucket."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run, and what failed: the failing step's error, or None."""

    run: str
    failure: dict[str, Any] | None = None


class Result(msgspec.Struct, frozen=True):
    """Where the bundle stands, how the run ended, and how its claims stand.

    `next_attempt` is the number of the attempt that is to be started now; None if none follows by itself.
    """

    run: str
    bundle: str
    outcome: str
    claims: dict[str, str]
    next_attempt: int | None = None


def close_run(
    request: Request,
    *,
    storage: Storage,
    kms: Kms,
    bigquery: BigQuery,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Close, or give the end that stands."""
    run = names.checked_run_id(request.run)
    evidence = names.evidence_bucket(settings)
    signed = storage.find(evidence, names.bundle(run))
    if signed is None:
        signed = _sign(request, storage, kms, settings, clock().isoformat())
    hint = bundle.peek(signed)
    statement = bundle.open_statement(signed, kms.public_key(hint.key_version))
    _write_reports(storage, settings, statement, canonical.digest(signed))
    _write_rows(bigquery, settings, statement, canonical.digest(signed))
    stated = statement.predicate
    upload = _announce(storage, settings, statement)
    end = records.Closed(
        run=run,
        outcome=stated.outcome,
        reason=stated.reason,
        time=stated.closed_at,
        bundle_sha256=canonical.digest(signed),
        followed_by=run_of(upload) if upload else "",
    )
    _once(storage, evidence, names.closed(run), canonical.dumps(end))
    return Result(
        run=run,
        bundle=names.gs(evidence, names.bundle(run)),
        outcome=stated.outcome,
        claims={claim.id: claim.verdict for claim in stated.claims},
        next_attempt=upload.attempt if upload else None,
    )


def _announce(storage: Storage, settings: Settings, statement: bundle.Statement) -> Upload | None:
    """The attempt that follows by itself, on record before the end: the sweep starts one that is missing."""
    stated = statement.predicate
    if storage.stat(names.state_bucket(settings), names.stopped(stated.run)) is not None:
        return None
    facts = Facts(stated.evidence, settings.attestation_root)
    upload = following(facts, stated.outcome, stated.claims)
    if upload is not None:
        name = names.next_attempt(stated.run, run_of(upload))
        _once(storage, names.evidence_bucket(settings), name, canonical.dumps(upload))
    return upload


def _sign(request: Request, storage: Storage, kms: Kms, settings: Settings, now: str) -> bytes:
    evidence = _gather(request.run, storage, settings)
    refused = storage.stat(names.inbox_bucket(settings), names.refusal(request.run)) is not None
    claims = evaluate(Facts(evidence, settings.attestation_root))
    outcome, reason = outcome_of(evidence, claims, request.failure, refused)
    versions = [v for v in kms.list_versions(names.bundle_key(settings)) if v.state == "ENABLED"]
    if not versions:
        raise NotReadyError(
            "no version of the bundle key can sign",
            field=names.bundle_key(settings),
            expected="an ENABLED version",
            remedy="enable or create a version of this key; the run is closed when asked again",
        )
    newest = max(versions, key=lambda version: int(version.name.rpartition("/")[2])).name
    public_key = kms.public_key(newest)
    statement = bundle.state(
        evidence,
        root_pem=settings.attestation_root,
        outcome=outcome,
        reason=reason,
        closed_at=now,
        signer=bundle.Signer(keyid=signing.key_id(public_key), key_version=newest, public_key_pem=public_key),
    )
    sealed = bundle.seal(statement, lambda data: kms.sign(newest, hashlib.sha256(data).digest()))
    bucket, name = names.evidence_bucket(settings), names.bundle(request.run)
    _once(storage, bucket, name, sealed)
    return storage.get(bucket, name)


def _gather(run: str, storage: Storage, settings: Settings) -> Evidence:
    state, evidence = names.state_bucket(settings), names.evidence_bucket(settings)
    places = {
        "job": (state, names.job(run)),
        "plan": (state, names.plan(run)),
        "order": (state, names.order(run)),
        "release": (state, names.release(run)),
        "completion": (state, names.completion(run)),
        "teardown": (state, names.teardown(run)),
        "stopped": (state, names.stopped(run)),
        "token": (evidence, names.token(run)),
        "verdict": (evidence, names.verdict(run)),
        "lost": (evidence, names.lost(run)),
        "receipt": (evidence, names.receipt(run)),
        "published": (evidence, records.published(run)),
        "proof": (evidence, names.proof(run)),
    }
    places |= {word: (evidence, name) for word, name in _refused_later(run, storage, evidence).items()}
    found = {word: _record(storage, bucket, name) for word, (bucket, name) in places.items()}
    below_logs = storage.list(evidence, f"{names.evidence_prefix(run)}logs/")
    collected = [one for one in below_logs if names.is_log_entry(one.name)]
    total = accumulate(one.size for one in collected)
    fitting = [one for one, size in zip(collected, total, strict=True) if size <= LOGS_MAX_BYTES]
    logs = _all(_record(storage, evidence, one.name) for one in fitting[:LOGS_MAX])
    ledger = storage.list(evidence, names.ledger_prefix(run))
    return Evidence(
        run=run,
        deployment=policy.deployment(settings),
        storage_key=names.storage_key(settings),
        key_pool=names.pool(settings),
        records={word: one for word, one in found.items() if one is not None},
        ledger=_all(_record(storage, evidence, one.name) for one in ledger if is_entry(one.name)),
        logs=logs,
        logs_left_out=len(collected) - len(logs),
    )


def _refused_later(run: str, storage: Storage, bucket: str) -> dict[str, str]:
    """The names of the token that a record of a loss is about, and of the first alarm, if there are any."""
    found: dict[str, str] = {}
    lost = storage.find(bucket, names.lost(run))
    if lost is not None:
        with suppress(EvidenceError):  # a broken record goes into the bundle, which says that it is broken
            found["lost_token"] = records.parse(lost, records.Loss, "lost.json").token
    alerts = sorted(storage.list(bucket, names.alert_prefix(run)), key=lambda one: (one.created, one.name))
    return {**found, "alert": alerts[0].name} if alerts else found


def _record(storage: Storage, bucket: str, name: str) -> Record | None:
    """Read an object whole. One that is too large, or no text, is no record of ours."""
    about = storage.stat(bucket, name)
    if about is None or about.size > records.RECORD_LIMIT_BYTES:
        return None
    data = storage.get(bucket, name, about.generation)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return Record(name=name, sha256=canonical.digest(data), created=about.created, text=text)


def _all(found: Iterable[Record | None]) -> tuple[Record, ...]:
    return tuple(one for one in found if one is not None)


def _write_reports(storage: Storage, settings: Settings, statement: bundle.Statement, digest: str) -> None:
    run, bucket = statement.predicate.run, names.evidence_bucket(settings)
    made = report.build(statement, settings.attestation_root, digest)
    resources = {"run": run, "resources": made.resources, "bundle_sha256": digest}
    _once(storage, bucket, names.resources(run), report.pretty(resources))
    _once(storage, bucket, names.report(run, "json"), report.to_json(made))
    _once(storage, bucket, names.report(run, "html"), report.to_html(made), "text/html; charset=utf-8")


def _write_rows(bigquery: BigQuery, settings: Settings, statement: bundle.Statement, digest: str) -> None:
    stated = statement.predicate
    row = tables.run_row(
        run=stated.run,
        outcome=stated.outcome,
        reason=stated.reason,
        closed_at=stated.closed_at,
        bundle_sha256=digest,
        trust_root=stated.trust_root.name,
        claims={claim.id: claim.verdict for claim in stated.claims},
        usd=stated.cost.usd if stated.cost else None,
        usd_worst_case=stated.cost.usd_worst_case if stated.cost else None,
    )
    bigquery.insert_rows(names.table(settings, "runs"), [row], [row["row_id"]])
    attestations = [*_row_of_verdict(stated), *_row_of_loss(stated)]
    if attestations:
        ids = [row["row_id"] for row in attestations]
        bigquery.insert_rows(names.table(settings, "attestations"), attestations, ids)


def _row_of_verdict(stated: bundle.Predicate) -> Iterator[dict[str, Any]]:
    token, verdict = stated.evidence.records.get("token"), stated.evidence.records.get("verdict")
    if verdict is None:
        return
    decided = records.parse(verdict.text.encode(), records.VerdictRecord, "verdict.json")
    shown = token or verdict
    yield tables.attestation_row(
        run=stated.run,
        kind="attestation token" if token else "silence",
        time=decided.time,
        verdict=decided.verdict,
        reasons=tuple(reason.reason for reason in decided.reasons),
        evidence_object=shown.name,
        evidence_sha256=shown.sha256,
        trust_root=decided.trust_root,
    )


def _row_of_loss(stated: bundle.Predicate) -> Iterator[dict[str, Any]]:
    lost, record = Facts(stated.evidence, "").lost, stated.evidence.records.get("lost")
    if lost is None or record is None:
        return
    yield tables.attestation_row(
        run=stated.run,
        kind="lost attestation",
        time=lost.time,
        verdict="not_met",
        reasons=tuple(reason.reason for reason in lost.reasons),
        evidence_object=record.name,
        evidence_sha256=record.sha256,
        trust_root=None,
    )


def _once(storage: Storage, bucket: str, name: str, data: bytes, kind: str = "application/json") -> None:
    with suppress(AlreadyExistsError):  # the first one stands, and says the same
        storage.create(bucket, name, data, kind)
