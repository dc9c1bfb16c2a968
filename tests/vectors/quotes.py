"""Cases of TDX quotes, alone or with an event log.

A case without collateral is about signatures and the certificate path only; the product's own verdict on
such a quote is "could not be checked" (tests/functions/rules/evidence/test_tdx.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sealtrain.rules.evidence import event_log, policy, tdx
from sealtrain.rules.evidence.findings import Outcome

from tests.vectors.manifest import BrokenError, Case, Got

KNOWN = {"require_not_debug", "verification_time", "rtmr", "mr_td", "report_data"}


def quote(case: Case) -> Got:
    """Verify a quote."""
    return _got(tdx.verify(case.files["quote"], case.files.get("collateral"), _reference(case)))


def log_and_quote(case: Case) -> Got:
    """Verify a quote and replay the log to its registers."""
    files = case.files
    return _got(event_log.verify(files["ccel"], files["quote"], files.get("collateral"), _reference(case)))


def moment(value: Any) -> datetime:
    """The time of a case: RFC 3339, or seconds since 1970; now where a case names none."""
    if value is None:
        return datetime.now(UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _reference(case: Case) -> tdx.Reference:
    unknown = set(case.policy) - KNOWN
    if unknown:
        raise BrokenError(f"policy fields that are not understood: {sorted(unknown)}")
    given = case.policy
    if not given.get("require_not_debug", True):
        raise BrokenError("a quote of a debug TD is never accepted here")
    values = given.get("mr_td", [])
    return tdx.Reference(
        at=moment(given.get("verification_time")),
        policy=policy.load(),
        report_data=bytes.fromhex(given["report_data"]) if "report_data" in given else None,
        mr_td=tuple(bytes.fromhex(one) for one in ([values] if isinstance(values, str) else values)),
        rtmr=tuple(bytes.fromhex(one) for one in given.get("rtmr", [])),
        signatures_only="collateral" not in case.files,
    )


def _got(outcome: Outcome) -> Got:
    reasons = ",".join(sorted({one.reason for one in outcome.findings}))
    return Got("accept" if outcome.verdict == "met" else "reject", reasons or "ok")
