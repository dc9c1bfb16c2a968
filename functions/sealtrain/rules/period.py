"""A period's report: which runs were closed, how their claims stand, and what is missing.

Rules enforced here:
- a period is [start, end) in UTC, at most 366 days, and lies in the past, so that the same period gives
  the same bytes again;
- rows are about records: a row whose bundle is missing or has another digest is told, and so is a
  closed run without a row; either makes the report incomplete;
- an empty period says that nothing was assessed. No evidence is never a pass.

Not handled here: controls of compliance frameworks. The report says what was shown, not what it means.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from sealtrain.rules import canonical
from sealtrain.rules.claims import TABLE
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.evidence import policy
from sealtrain.rules.report import CAVEAT

GENERATOR = "sealtrain period report 1"
LONGEST = timedelta(days=366)
VERDICTS = ("met", "not_met", "no_evidence", "not_applicable")
EMPTY = "No run was closed in this period. Nothing was assessed, which is not the same as compliant."

State = Literal["intact", "changed", "missing"]


class Period(msgspec.Struct, frozen=True):
    """[start, end) in UTC."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """The period as part of an object's name."""
        return f"{self.start:%Y%m%dT%H%M%SZ}_{self.end:%Y%m%dT%H%M%SZ}"


class RunLine(msgspec.Struct, frozen=True):
    """One closed run; `evidence` says whether its bundle is the one that the row is about."""

    run: str
    outcome: str
    closed_at: str
    trust_root: str
    claims: dict[str, str]
    usd: float | None
    bundle_sha256: str
    evidence: State


class ClaimLine(msgspec.Struct, frozen=True):
    """How one claim stands over all runs of the period."""

    id: str
    title: str
    counts: dict[str, int]


class PeriodReport(msgspec.Struct, frozen=True):
    """All that is shown about a period."""

    generator: str
    caveat: str
    project: str
    deployment: str
    start: str
    end: str
    policy_version: str
    policy_digest: str
    statement: str
    complete: bool
    simulated: bool
    trust_roots: tuple[str, ...]
    outcomes: dict[str, int]
    claims: tuple[ClaimLine, ...]
    runs: tuple[RunLine, ...]
    usd: float
    attestations: dict[str, int]
    sources: dict[str, int]
    gaps: tuple[str, ...]
    queries: tuple[str, ...]


def period(start: str | None, end: str | None, now: datetime) -> Period:
    """Read a period; without start the last full day, without end up to the last full day's end."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = _moment(end, "end") if end else midnight
    since = _moment(start, "start") if start else until - timedelta(days=1)
    if not (since < until <= now and until - since <= LONGEST):
        raise InvalidRequestError(
            "no such period can be reported",
            field="start, end",
            got=f"{since.isoformat()} to {until.isoformat()}",
            expected=f"start before end, end not after {now.isoformat()}, at most {LONGEST.days} days",
        )
    return Period(since, until)


def build(
    *,
    project: str,
    deployment: str,
    span: Period,
    run_rows: Iterable[Mapping[str, Any]],
    attestation_rows: Iterable[Mapping[str, Any]],
    bundles: Mapping[str, str | None],
    closed: Iterable[str],
    queries: Iterable[str],
) -> PeriodReport:
    """Make the report; `bundles` maps a run to its stored bundle's digest, `closed` are runs by record."""
    runs = tuple(_line(row, bundles) for row in _by_id(run_rows))
    attestations = _by_id(attestation_rows)
    recorded = sorted(closed)
    gaps = [f"{one.run}: the bundle is {one.evidence}" for one in runs if one.evidence != "intact"]
    gaps += [f"{run}: closed, and no row says so" for run in sorted({*recorded} - {r.run for r in runs})]
    roots = tuple(sorted({one.trust_root for one in runs}))
    return PeriodReport(
        generator=GENERATOR,
        caveat=CAVEAT,
        project=project,
        deployment=deployment,
        start=span.start.isoformat(),
        end=span.end.isoformat(),
        policy_version=policy.load().version,
        policy_digest=policy.load().digest,
        statement=_statement(runs, gaps),
        complete=bool(runs) and not gaps,
        simulated="SIMULATED" in roots,
        trust_roots=roots,
        outcomes=_counts(one.outcome for one in runs),
        claims=tuple(
            ClaimLine(name, title, _verdicts(one.claims.get(name, "no_evidence") for one in runs))
            for name, title, _, _ in TABLE
        ),
        runs=runs,
        usd=round(sum(one.usd or 0.0 for one in runs), 4),
        attestations=_counts(f"{row['kind']}: {row['verdict']}" for row in attestations),
        sources={
            "rows of runs": len(runs),
            "rows of attestations": len(attestations),
            "closed runs on record": len(recorded),
        },
        gaps=tuple(gaps),
        queries=tuple(queries),
    )


def _moment(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise InvalidRequestError(
            "not a time with its zone", field=field, got=text, expected="like 2026-11-22T00:00:00Z"
        )
    return moment.astimezone(UTC).replace(microsecond=0)


def _line(row: Mapping[str, Any], bundles: Mapping[str, str | None]) -> RunLine:
    stored, told = bundles.get(row["run"]), row["bundle_sha256"]
    state: State = "missing" if stored is None else ("intact" if stored == told else "changed")
    claims = canonical.loads(str(row["claims"]).encode())
    return RunLine(
        run=row["run"],
        outcome=row["outcome"],
        closed_at=_text(row["closed_at"]),
        trust_root=row["trust_root"],
        claims={str(name): str(verdict) for name, verdict in claims.items()},
        usd=row["usd"],
        bundle_sha256=told,
        evidence=state,
    )


def _by_id(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A second delivery may have added a second row of one id: one of them counts."""
    found = {str(row["row_id"]): row for row in rows}
    return [found[row_id] for row_id in sorted(found, key=lambda one: (_when(found[one]), one))]


def _when(row: Mapping[str, Any]) -> str:
    return _text(row["closed_at"] if "closed_at" in row else row["time"])


def _text(moment: Any) -> str:
    return moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else str(moment)


def _counts(values: Iterable[str]) -> dict[str, int]:
    found = list(values)
    return {value: found.count(value) for value in sorted(set(found))}


def _verdicts(values: Iterable[str]) -> dict[str, int]:
    found = list(values)
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def _statement(runs: tuple[RunLine, ...], gaps: list[str]) -> str:
    if not runs and not gaps:
        return EMPTY
    whole = sum(set(one.claims.values()) <= {"met", "not_applicable"} for one in runs)
    told = f"{len(runs)} run(s) closed; every claim that applies is met in {whole} of them."
    return f"{told} INCOMPLETE: {len(gaps)} gap(s) in the evidence." if gaps else told
