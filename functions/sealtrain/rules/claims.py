"""What is claimed of a run, each claim with its verdict, its reasons, and the records it rests on.

Rules enforced here:
- a verdict is met, not_met, no_evidence, or not_applicable; missing evidence is never met;
- a machine that ran and showed no token is not_met: silence is a failure of its own;
- a verdict is computed from the records alone, so that anybody who has them gets the same.

What an attestation supports is a control; it never by itself proves compliance.
"""

from collections.abc import Callable

import msgspec

from sealtrain.rules import claim_rules as rules
from sealtrain.rules.claim_rules import Found, Verdict
from sealtrain.rules.facts import Facts


class RecordRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record by object name and digest."""

    name: str
    sha256: str


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One claim about a run."""

    id: str
    title: str
    verdict: Verdict
    reasons: tuple[str, ...]
    records: tuple[RecordRef, ...]


def evaluate(facts: Facts) -> tuple[Claim, ...]:
    """Give every claim's verdict, in the order of the table below."""
    return tuple(
        Claim(
            id=name,
            title=title,
            verdict=(found := _found(rule, facts))[0],
            reasons=found[1],
            records=_refs(facts, words),
        )
        for name, title, words, rule in TABLE
    )


def _found(rule: Callable[[Facts], Found], facts: Facts) -> Found:
    """A record that the rule cannot compute with (a time that is none, say) is a failed claim."""
    try:
        return rule(facts)
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        return "not_met", (f"the records cannot be compared: {str(error)[:200]}",)


def _refs(facts: Facts, words: tuple[str, ...]) -> tuple[RecordRef, ...]:
    found = [facts.evidence.records[word] for word in words if word in facts.evidence.records]
    if "ledger" in words:
        found += facts.evidence.ledger
    if "logs" in words:
        found += facts.evidence.logs
    return tuple(RecordRef(name=one.name, sha256=one.sha256) for one in found)


TABLE: tuple[tuple[str, str, tuple[str, ...], Callable[[Facts], Found]], ...] = (
    (
        "dataset_bound",
        "The model was trained on exactly the ordered data",
        ("order", "receipt"),
        rules.dataset_bound,
    ),
    (
        "workload_attested",
        "The machine and its container were attested before anything was handed over, and not refused later",
        ("token", "verdict", "order", "lost", "lost_token", "alert"),
        rules.workload_attested,
    ),
    (
        "key_released_after_verdict",
        "The data key was handed over only after an accepting verdict",
        ("verdict", "release"),
        rules.key_released_after_verdict,
    ),
    (
        "key_log",
        "Only the attested machine opened the data key",
        ("verdict", "logs"),
        rules.key_log,
    ),
    (
        "model_from_attested_workload",
        "The model is the one that the attested machine made",
        ("token", "receipt", "published"),
        rules.model_from_attested_workload,
    ),
    (
        "encrypted_at_rest",
        "Bucket and disk of the run were encrypted with the deployment's key",
        ("ledger",),
        rules.encrypted_at_rest,
    ),
    (
        "confidential_hardware",
        "The machine's memory was encrypted by its processor",
        ("plan", "token", "verdict"),
        rules.confidential_hardware,
    ),
    (
        "gpu_attested",
        "The GPU ran in confidential mode",
        ("plan", "token", "verdict"),
        rules.gpu_attested,
    ),
    (
        "within_limits",
        "Time and cost stayed within the job's limits",
        ("job", "plan", "ledger"),
        rules.within_limits,
    ),
    (
        "nothing_left",
        "Everything the run made was seen absent",
        ("proof", "ledger"),
        rules.nothing_left,
    ),
    (
        "logs_recorded",
        "The platform's logs about the run were kept",
        ("logs",),
        rules.logs_recorded,
    ),
)
