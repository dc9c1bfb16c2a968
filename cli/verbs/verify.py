"""`sealtrain verify BUNDLE`: check a bundle with pinned public keys and no network.

- Exit 0 only if every check holds; 1 if one fails; 2 if bundle or keys cannot be read.
- Who vouches for the attestation is said in the first line; what the stand-in signed says SIMULATED there.
- A good bundle of a failed run is good: what the run reached is told by its outcome and its claims.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sealtrain.rules.bundle import BUNDLE_LIMIT_BYTES, Check, Statement, open_statement, verify_bundle
from sealtrain.rules.errors import SealtrainError

from cli import trust
from cli.errors import EXIT_NO, CommandError
from cli.output import emit, note, plain, say
from cli.trust import Trust

NOT_KNOWN = "not known: the bundle cannot be opened"


def verify(bundle: Path, trust_file: Path | None, as_json: bool) -> int:
    """Print each check."""
    data = trust.read_file(bundle, "BUNDLE", BUNDLE_LIMIT_BYTES)
    beside = bundle.resolve().parent / trust.FILE
    keys = trust.read(trust_file or beside)
    if trust_file is None:
        note(f"using {beside}: keys that come with a bundle prove nothing; give yours with --trust")
    checks, statement = check(data, keys, datetime.now(UTC))
    good = all(one.ok for one in checks)
    if as_json:
        emit(told(checks, statement))
    else:
        for line in lines(checks, statement):
            say(line)
    return 0 if good else EXIT_NO


def check(data: bytes, keys: Trust, now: datetime) -> tuple[list[Check], Statement | None]:
    """Every check at the time `now` (UTC), and the statement if its signature holds."""
    for field, pem in (
        ("bundle_key_pem", keys.bundle_key_pem),
        ("attestation_root_pem", keys.attestation_root_pem),
    ):
        if not pem.startswith("-----BEGIN "):
            raise CommandError("not a key in PEM", field=f"trust.{field}", got=pem[:40] or "nothing")
    checks = verify_bundle(data, keys.bundle_key_pem, keys.attestation_root_pem, now)
    try:
        return checks, open_statement(data, keys.bundle_key_pem)
    except SealtrainError:
        return checks, None


def told(checks: list[Check], statement: Statement | None) -> dict[str, object]:
    """The same as JSON."""
    predicate = statement.predicate if statement else None
    return {
        "ok": all(one.ok for one in checks),
        "trust_root": predicate.trust_root.name if predicate else None,
        "run": predicate.run if predicate else None,
        "outcome": predicate.outcome if predicate else None,
        "checks": [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in checks],
        "claims": {claim.id: claim.verdict for claim in predicate.claims} if predicate else {},
    }


def lines(checks: list[Check], statement: Statement | None) -> list[str]:
    """Trust root, then one line per check, then what the run claims."""
    predicate = statement.predicate if statement else None
    shown = [f"trust root  {predicate.trust_root.name if predicate else NOT_KNOWN}"]
    shown += [f"{'ok    ' if one.ok else 'FAILED'}  {one.name}: {one.detail}" for one in checks]
    if predicate is not None:
        shown.append(f"run {predicate.run} {predicate.outcome}; its claims:")
        shown += [f"  {claim.verdict:<14} {claim.title}" for claim in predicate.claims]
    bad = sum(not one.ok for one in checks)
    shown.append(
        "the bundle holds" if not bad else f"the bundle does not hold: {bad} of {len(checks)} checks failed"
    )
    return [plain(line) for line in shown]
