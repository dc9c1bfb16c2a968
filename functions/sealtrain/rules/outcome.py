"""How a run ended, in one word and a reason, from its records and the workflow's last error.

- succeeded: nothing failed.
- torn_down: somebody or something asked for the end before the workflow did.
- refused: the owner's input, the platform's offer, or the evidence was not acceptable.
- failed: anything else.

The word has to be borne out by the records: a run has not succeeded with a record missing or a claim that is
not met, whatever the workflow says. `objection` is what closing and checking a bundle both ask.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from sealtrain.rules.claims import Claim
from sealtrain.rules.facts import Evidence
from sealtrain.rules.proof import RUN_ENDED, WORKFLOW_ENDED

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
MET_IN_SUCCESS = frozenset(
    {
        "dataset_bound",
        "workload_attested",
        "key_released_after_verdict",
        "model_from_attested_workload",
        "nothing_left",
    }
)


def outcome_of(
    evidence: Evidence, claims: Iterable[Claim], failure: Mapping[str, Any] | None, owner_was_told: bool
) -> tuple[Outcome, str]:
    """Give outcome and reason; `owner_was_told` says that a refusal stands in the inbox."""
    asked, objected = asked_for(evidence), objection("succeeded", evidence, claims)
    only_lost = failure is not None and failure.get("code") == WORKFLOW_ENDED and not asked
    if not objected and (failure is None or only_lost):
        return "succeeded", ""
    if failure is None:
        return "failed", f"not_shown: {objected}"
    code, reason = str(failure.get("code", "unknown")), _reason(failure)
    if owner_was_told:
        return "refused", reason
    if asked:
        return "torn_down", f"{asked} ({reason})"
    if code in REFUSALS or _text(evidence, "verdict", "verdict") == "not_met":
        return "refused", reason
    return "failed", reason


def objection(outcome: str, evidence: Evidence, claims: Iterable[Claim]) -> str:
    """Say why the records do not bear this word out; empty if they do."""
    if outcome not in get_args(Outcome):
        return f"{outcome[:40]} is no outcome"
    if outcome == "torn_down" and not asked_for(evidence):
        return "no request of teardown before the run's end is on record"
    if outcome != "succeeded":
        return ""
    missing = [word for word in NEEDED_FOR_SUCCESS if word not in evidence.records]
    if missing:
        return f"the run's records do not show success: no {', '.join(missing)}"
    open_ = [
        f"{claim.id} is {claim.verdict}"
        for claim in claims
        if claim.verdict == "not_met" or (claim.id in MET_IN_SUCCESS and claim.verdict != "met")
    ]
    return f"the run's records do not show success: {', '.join(open_)}" if open_ else ""


def asked_for(evidence: Evidence) -> str:
    """Why somebody asked for the end before the workflow did; empty if nobody did."""
    asked = _text(evidence, "teardown", "reason")
    return "" if asked == RUN_ENDED else asked


def _reason(failure: Mapping[str, Any]) -> str:
    """Code, message, and the details that an owner needs to act; a job's own words stand for themselves."""
    code, message = str(failure.get("code", "unknown")), str(failure.get("message", ""))
    if not message:
        return code
    told = [("field", "field"), ("got", "got"), ("expected", "expected"), ("do", "remedy")]
    details = "; ".join(f"{word} {failure[key]}" for word, key in told if failure.get(key))
    return (message if code == "FAILED" else f"{code}: {message}") + (f" ({details})" if details else "")


def split(reason: str) -> tuple[str, str]:
    """What happened, and what to do (empty if it is not told), of a reason as `_reason` writes it."""
    found = re.fullmatch(r"(.*)(; | \()do (.+?)\)", reason, re.DOTALL)
    if found is None:
        return reason, ""
    return found[1] + (")" if found[2] == "; " else ""), found[3]


def _text(evidence: Evidence, word: str, field: str) -> str:
    record = evidence.records.get(word)
    try:
        found = json.loads(record.text) if record else {}
    except (ValueError, RecursionError):
        return ""
    return str(found.get(field, "")) if isinstance(found, dict) else ""
