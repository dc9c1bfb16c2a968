"""BigQuery tables about runs and evidence, as plain data, and the rows that go into them.

Rules enforced here:
- a row is *about* a stored record and names it with its digest; it is never the only copy;
- a row's id follows from what the row is about, so that a second delivery adds nothing: it is the
  insert id of the write, and queries take one row per id;
- a table's shape stands here once; Terraform and the stand-in take it from here.
"""

from collections.abc import Mapping
from typing import Any

from sealtrain.rules import canonical

Field = Mapping[str, str]

RUNS: tuple[Field, ...] = (
    {"name": "row_id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "run", "type": "STRING", "mode": "REQUIRED"},
    {"name": "outcome", "type": "STRING", "mode": "REQUIRED"},
    {"name": "reason", "type": "STRING", "mode": "NULLABLE"},
    {"name": "closed_at", "type": "TIMESTAMP", "mode": "REQUIRED"},
    {"name": "bundle_sha256", "type": "STRING", "mode": "REQUIRED"},
    {"name": "trust_root", "type": "STRING", "mode": "REQUIRED"},
    {"name": "claims_met", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "claims_not_met", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "claims_no_evidence", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "claims", "type": "STRING", "mode": "REQUIRED"},
    {"name": "usd", "type": "FLOAT", "mode": "NULLABLE"},
    {"name": "usd_worst_case", "type": "FLOAT", "mode": "NULLABLE"},
)

ATTESTATIONS: tuple[Field, ...] = (
    {"name": "row_id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "run", "type": "STRING", "mode": "NULLABLE"},
    {"name": "kind", "type": "STRING", "mode": "REQUIRED"},
    {"name": "time", "type": "TIMESTAMP", "mode": "REQUIRED"},
    {"name": "verdict", "type": "STRING", "mode": "REQUIRED"},
    {"name": "reasons", "type": "STRING", "mode": "NULLABLE"},
    {"name": "evidence_object", "type": "STRING", "mode": "REQUIRED"},
    {"name": "evidence_sha256", "type": "STRING", "mode": "REQUIRED"},
    {"name": "trust_root", "type": "STRING", "mode": "NULLABLE"},
)

TABLES: Mapping[str, tuple[Field, ...]] = {"runs": RUNS, "attestations": ATTESTATIONS}


def row_id(table: str, *parts: str) -> str:
    """Derive a row's id from what it is about."""
    return canonical.digest(canonical.dumps([table, *parts])).removeprefix("sha256:")[:32]


def run_row(
    *,
    run: str,
    outcome: str,
    reason: str,
    closed_at: str,
    bundle_sha256: str,
    trust_root: str,
    claims: Mapping[str, str],
    usd: float | None,
    usd_worst_case: float | None,
) -> dict[str, Any]:
    """Build the row of a closed run; `claims` maps claim id to verdict."""
    counted = list(claims.values())
    return {
        "row_id": row_id("runs", run),
        "run": run,
        "outcome": outcome,
        "reason": reason or None,
        "closed_at": closed_at,
        "bundle_sha256": bundle_sha256,
        "trust_root": trust_root,
        "claims_met": counted.count("met"),
        "claims_not_met": counted.count("not_met"),
        "claims_no_evidence": counted.count("no_evidence"),
        "claims": canonical.dumps(dict(claims)).decode(),
        "usd": usd,
        "usd_worst_case": usd_worst_case,
    }


def attestation_row(
    *,
    run: str | None,
    kind: str,
    time: str,
    verdict: str,
    reasons: tuple[str, ...],
    evidence_object: str,
    evidence_sha256: str,
    trust_root: str | None,
) -> dict[str, Any]:
    """Build the row about one stored piece of evidence: a token's verdict, or a log entry."""
    return {
        "row_id": row_id("attestations", evidence_object, evidence_sha256),
        "run": run,
        "kind": kind,
        "time": time,
        "verdict": verdict,
        "reasons": ",".join(reasons) or None,
        "evidence_object": evidence_object,
        "evidence_sha256": evidence_sha256,
        "trust_root": trust_root,
    }
