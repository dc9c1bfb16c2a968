"""How a run ended, in one word and a reason, from its records and the workflow's last error.

- succeeded: nothing failed.
- torn_down: somebody or something asked for the end before the workflow did.
- refused: the owner's input, the platform's offer, or the evidence was not acceptable.
- failed: anything else.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from sealtrain.rules.facts import Evidence
from sealtrain.rules.proof import RUN_ENDED

Outcome = Literal["succeeded", "failed", "refused", "torn_down"]

REFUSALS = frozenset(
    {
        "refused",
        "unsupported",
        "unsupported_shape",
        "unsupported_tee",
        "source_changed",
        "dataset_not_pinned",
        "evidence_refused",
        "receipt_mismatch",
        "no_price",
        "cost_over_limit",
    }
)


NEEDED_FOR_SUCCESS = ("verdict", "receipt", "published", "proof")


def outcome_of(
    evidence: Evidence, failure: Mapping[str, Any] | None, owner_was_told: bool
) -> tuple[Outcome, str]:
    """Give outcome and reason; `owner_was_told` says that a refusal stands in the inbox."""
    if failure is None:
        missing = [word for word in NEEDED_FOR_SUCCESS if word not in evidence.records]
        if missing:
            return "failed", f"not_shown: the run's records do not show success: no {', '.join(missing)}"
        return "succeeded", ""
    code, reason = str(failure.get("code", "unknown")), _reason(failure)
    asked = _text(evidence, "teardown", "reason")
    if asked and asked != RUN_ENDED:
        return "torn_down", f"{asked} ({reason})"
    if owner_was_told or code in REFUSALS or _text(evidence, "verdict", "verdict") == "not_met":
        return "refused", reason
    return "failed", reason


def _reason(failure: Mapping[str, Any]) -> str:
    """Code, message, and the details that an owner needs to act; a job's own words stand for themselves."""
    code, message = str(failure.get("code", "unknown")), str(failure.get("message", ""))
    if not message:
        return code
    told = [("field", "field"), ("got", "got"), ("expected", "expected"), ("do", "remedy")]
    details = "; ".join(f"{word} {failure[key]}" for word, key in told if failure.get(key))
    return (message if code == "FAILED" else f"{code}: {message}") + (f" ({details})" if details else "")


def _text(evidence: Evidence, word: str, field: str) -> str:
    record = evidence.records.get(word)
    try:
        found = json.loads(record.text) if record else {}
    except (ValueError, RecursionError):
        return ""
    return str(found.get(field, "")) if isinstance(found, dict) else ""
