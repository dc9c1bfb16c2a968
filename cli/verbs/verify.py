"""`sealtrain verify BUNDLE`: check a bundle with public keys and no network.

- Exit 0 only if every check holds; 1 if one fails; 2 if bundle or keys cannot be read.
- Who vouches for the attestation is said in the first line; what the stand-in signed says SIMULATED there.
- Whose word it is that the keys are right is said in the second: only keys that the reader gave are theirs.
- A good bundle of a failed run is good: what the run reached is told by its outcome and its claims.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sealtrain.rules.bundle import BUNDLE_LIMIT_BYTES, Check, Statement

from cli import remedies, trust
from cli.errors import EXIT_NO
from cli.output import emit, plain, say

NOT_KNOWN = "not known: the bundle cannot be opened"


def verify(bundle: Path, trust_file: Path | None, as_json: bool) -> int:
    """Print each check."""
    data = trust.read_file(bundle, "BUNDLE", BUNDLE_LIMIT_BYTES)
    keys, whose = trust.needed(trust.choose(bundle, trust_file))
    checks, statement = trust.check(data, keys, datetime.now(UTC))
    good = all(one.ok for one in checks)
    if as_json:
        emit(told(checks, statement, whose))
    else:
        for line in lines(checks, statement, whose):
            say(line)
    return 0 if good else EXIT_NO


def told(checks: list[Check], statement: Statement | None, whose: str) -> dict[str, object]:
    """The same as JSON."""
    predicate = statement.predicate if statement else None
    run = predicate.run if predicate else ""
    return {
        "ok": all(one.ok for one in checks),
        "trust_root": predicate.trust_root.name if predicate else None,
        "run": predicate.run if predicate else None,
        "outcome": predicate.outcome if predicate else None,
        "keys": whose,
        "checks": [
            {"name": c.name, "ok": c.ok, "detail": c.detail, "remedy": _remedy(c, run)} for c in checks
        ],
        "claims": {claim.id: claim.verdict for claim in predicate.claims} if predicate else {},
    }


def lines(checks: list[Check], statement: Statement | None, whose: str) -> list[str]:
    """Trust root, whose keys, then each check, with what to do where it fails, then what the run claims."""
    predicate = statement.predicate if statement else None
    shown = [f"trust root  {predicate.trust_root.name if predicate else NOT_KNOWN}"]
    shown.append(f"keys        {whose}")
    for one in checks:
        shown.append(f"{'ok    ' if one.ok else 'FAILED'}  {one.name}: {one.detail}")
        remedy = _remedy(one, predicate.run if predicate else "")
        shown += [f"        do: {remedy}"] if remedy else []
    if predicate is not None:
        shown.append(f"run {predicate.run} {predicate.outcome}; its claims:")
        shown += [f"  {claim.verdict:<14} {claim.title}" for claim in predicate.claims]
    bad = sum(not one.ok for one in checks)
    shown.append(
        "the bundle holds" if not bad else f"the bundle does not hold: {bad} of {len(checks)} checks failed"
    )
    return [plain(line) for line in shown]


def _remedy(check: Check, run: str) -> str | None:
    return None if check.ok else remedies.of_check(check.name, run)
