"""What a bundle shows: which checks fail, what was found about its attestation, which claims stay open."""

from __future__ import annotations

from collections.abc import Iterable

from sealtrain.rules.bundle import Check, look_inside
from sealtrain.rules.claims import Claim
from sealtrain.rules.facts import Facts

from cli import remedies, trust
from cli.ending import ending
from cli.progress import Progress
from cli.told import Failed, Given, Open, Told

_INSIDE = "inside, where nobody's signature holds: "
_SEEN = "this shows where it was changed, and proves nothing; do what is said of the signature"


def explain_bundle(data: bytes, given: Given) -> Told:
    """Check it as `sealtrain verify` does, and tell all that is not as it has to be."""
    keys, whose = trust.needed(given.trust)
    checks, statement = trust.check(data, keys, given.at)
    if statement is None:
        inside = look_inside(data, keys.attestation_root_pem, given.at) if _unsigned(checks) else []
        found = [Failed(one.name, _INSIDE + one.detail, _SEEN) for one in inside if not one.ok]
        return Told("bundle", about={"keys": whose}, checks=(*_failed(checks, ""), *found))
    stated = statement.predicate
    facts = Facts(stated.evidence, keys.attestation_root_pem)
    judged = (facts.verdict, facts.lost, facts.alert)
    recorded = [finding for record in judged if record for finding in record.reasons]
    again = facts.judgement.findings if facts.judgement else ()
    no_token = facts.problems.get("token") or "the bundle holds none"
    end = ending(Progress(run=stated.run, phases=(), outcome=stated.outcome, reason=stated.reason))
    return Told(
        "bundle",
        findings=tuple(dict.fromkeys((*recorded, *again))),
        about={"run": stated.run, "trust root": stated.trust_root.name, "keys": whose},
        ending=end,
        checks=_failed(checks, stated.run),
        claims=open_claims(stated.claims, stated.outcome, stated.run),
        unjudged=() if facts.judgement else (f"token: {no_token}",),
    )


def open_claims(claims: Iterable[Claim], outcome: str, run: str) -> tuple[Open, ...]:
    """Every claim that is not met or has no evidence, with what to do."""
    return tuple(
        Open(one.id, one.title, one.verdict, one.reasons, remedies.of_claim(one, outcome, run))
        for one in claims
        if one.verdict in ("not_met", "no_evidence")
    )


def _failed(checks: list[Check], run: str) -> tuple[Failed, ...]:
    return tuple(
        Failed(one.name, one.detail, remedies.of_check(one.name, run)) for one in checks if not one.ok
    )


def _unsigned(checks: list[Check]) -> bool:
    return any(one.name == "signature" and not one.ok for one in checks)
