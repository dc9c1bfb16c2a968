"""What a verifier found wrong, in one form, and the one exception that carries it inside the verifiers.

A verifier never raises for what evidence holds: it gives findings. `Refused` stays inside this package.
Every reason code has its kind, explanation and remedy in rules/evidence/reasons.py.
"""

from typing import Literal

import msgspec

from sealtrain.rules.evidence import reasons

SHOWN_CHARS = 200


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is wrong: which rule, what was found, what had to be there."""

    reason: str
    field: str
    got: str
    expected: str
    sentence: str


class Refused(Exception):  # noqa: N818 - it is an outcome, not an error
    """Ends a judgement with one finding."""

    def __init__(self, reason: str, field: str, got: object, expected: object, sentence: str = "") -> None:
        super().__init__(reason)
        self.finding = Finding(
            reason=reason,
            field=field,
            got=str(got)[:SHOWN_CHARS],
            expected=str(expected)[:SHOWN_CHARS],
            sentence=sentence,
        )


class Outcome(msgspec.Struct, frozen=True):
    """A verdict about a quote or log, as it goes on record.

    `met` only if nothing was found and all was judged; `unchecked` if nothing is known to be bad but
    something could not be checked. `facts` are what the evidence says, hex for bytes; `unjudged` names
    reference values that the caller did not give.
    """

    verdict: Literal["met", "not_met", "unchecked"]
    findings: tuple[Finding, ...]
    evidence_digest: str
    verifier: str
    policy_version: str
    facts: dict[str, str]
    unjudged: tuple[str, ...] = ()


def verdict_of(findings: tuple[Finding, ...]) -> Literal["met", "not_met", "unchecked"]:
    """Give the verdict that findings amount to."""
    if not findings:
        return "met"
    return "unchecked" if all(reasons.unchecked(one.reason) for one in findings) else "not_met"
