"""Write a period's report from the rows about runs, each row compared with the record it is about.

The same period gives the same bytes. A report that stands is not replaced: when late records would have
changed it, the result says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import canonical, names, period, records, report
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.bigquery import BigQuery
    from sealtrain.cloud.storage import Storage


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The period, [start, end), RFC 3339. Neither: the last full day in UTC."""

    start: str | None = None
    end: str | None = None


class Result(msgspec.Struct, frozen=True):
    """Where the report stands; `unchanged` is False if records came late for the one that stands."""

    report: str
    runs: int
    complete: bool
    unchanged: bool


def report_compliance(
    request: Request,
    *,
    storage: Storage,
    bigquery: BigQuery,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Write both forms, or compare them with what stands."""
    span = period.period(request.start, request.end, clock())
    runs_query = _query(settings, "runs", "closed_at")
    attestations_query = _query(settings, "attestations", "time")
    params = {"start": span.start.isoformat(), "end": span.end.isoformat()}
    rows = bigquery.query(runs_query, params)
    bucket = names.evidence_bucket(settings)
    made = period.build(
        project=settings.project,
        deployment=settings.deployment,
        span=span,
        run_rows=rows,
        attestation_rows=bigquery.query(attestations_query, params),
        bundles={str(row["run"]): _digest(storage, bucket, str(row["run"])) for row in rows},
        closed=_closed(storage, bucket, span),
        queries=(runs_query, attestations_query),
    )
    place = f"reports/{span.name}"
    same = [
        _once(storage, bucket, f"{place}.json", report.to_json(made), "application/json"),
        _once(
            storage,
            bucket,
            f"{place}.html",
            report.to_html(made, "period.html.j2"),
            "text/html; charset=utf-8",
        ),
    ]
    return Result(
        report=names.gs(bucket, f"{place}.json"),
        runs=len(made.runs),
        complete=made.complete,
        unchanged=all(same),
    )


def _query(settings: Settings, table: str, column: str) -> str:
    # The table's name derives from checked settings; values are parameters.
    return (
        f"SELECT * FROM `{names.table(settings, table)}` "  # noqa: S608
        f"WHERE {column} >= TIMESTAMP(@start) AND {column} < TIMESTAMP(@end)"
    )


def _digest(storage: Storage, bucket: str, run: str) -> str | None:
    found = storage.find(bucket, names.bundle(names.checked_run_id(run)))
    return None if found is None else canonical.digest(found)


def _closed(storage: Storage, bucket: str, span: period.Period) -> list[str]:
    found = []
    for one in storage.list(bucket, "runs/"):
        if not one.name.endswith("/closed.json"):
            continue
        try:
            closed = records.parse(storage.get(bucket, one.name), records.Closed, one.name)
            inside = span.start <= datetime.fromisoformat(closed.time) < span.end
        except (EvidenceError, ValueError, TypeError):
            inside = True  # A broken record is counted, so that it shows as a gap.
        if inside:
            found.append(one.name.split("/")[1])
    return found


def _once(storage: Storage, bucket: str, name: str, data: bytes, kind: str) -> bool:
    try:
        storage.create(bucket, name, data, kind)
    except AlreadyExistsError:
        return storage.get(bucket, name) == data
    return True
