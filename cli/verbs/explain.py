"""`sealtrain explain EVIDENCE`: what failed, what was expected, bad or could not be checked, what to do.

EVIDENCE is a file, or the id of a run, whose verdicts and alerts are then read from the deployment.
Exit 0 if nothing was found wrong, 1 if something was, 2 if it is no evidence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sealtrain.rules import names
from sealtrain.rules.bundle import BUNDLE_LIMIT_BYTES
from sealtrain.rules.evidence import key_sets, policy
from sealtrain.rules.evidence.key_sets import KeyCache, KeySet
from sealtrain.rules.evidence.tdx import COLLATERAL_LIMIT_BYTES

from cli import objects, place, trust
from cli.api import Api
from cli.errors import EXIT_NO, CommandError
from cli.explain import Given, Told, explained, together
from cli.explain import explain as read
from cli.output import emit, note, plain, say

WORDS = {
    "met": "nothing is wrong with it",
    "not_met": "bad",
    "unchecked": "could not be checked",
    "not_judged": "nothing was found wrong, and not all could be judged",
}


def explain(
    evidence: str,
    trust_file: Path | None,
    keys: Path | None,
    online: bool,
    audience: str | None,
    nonce: str | None,
    collateral: Path | None,
    at: str | None,
    as_json: bool,
) -> int:
    """Print what the evidence shows."""
    file = Path(evidence)
    if names.RUN_ID.fullmatch(evidence) and not file.exists():
        told = _of_run(evidence)
    else:
        given = Given(
            at=_moment(at),
            trust=_trust(file, trust_file),
            keys=_keys(keys, online),
            audience=audience,
            nonce=nonce,
            collateral=trust.read_file(collateral, "--collateral", COLLATERAL_LIMIT_BYTES)
            if collateral
            else None,
        )
        told = read(trust.read_file(file, "EVIDENCE", BUNDLE_LIMIT_BYTES), given)
    if as_json:
        emit(told.as_json())
    else:
        for line in lines(told):
            say(line)
    return EXIT_NO if told.findings else 0


def lines(told: Told) -> list[str]:
    """Verdict first, then each finding with got, expected and what to do."""
    shown = [f"{told.kind}: {WORDS.get(told.verdict, told.verdict)}"]
    shown += [f"  {name:<12} {plain(value)}" for name, value in told.about.items() if value]
    for finding in told.findings:
        more = explained(finding)
        kind = "bad" if more["kind"] == "bad" else "could not be checked"
        shown += [
            "",
            f"{plain(finding.reason)} ({kind}): {plain(more['means'])}",
            f"  field     {plain(finding.field)}",
            f"  got       {plain(finding.got)}",
            f"  expected  {plain(finding.expected)}",
            f"  do        {plain(more['remedy'])}",
        ]
    if told.unjudged:
        shown += ["", "not judged: " + ", ".join(plain(one) for one in told.unjudged)]
    return shown


def _of_run(run: str) -> Told:
    """The verdict of a run, what was found later, and its alerts."""
    settings = place.find(os.environ, Path.cwd())
    api, bucket = Api(settings), names.evidence_bucket(settings)
    stored = [one.name for one in objects.listing(api, bucket, names.evidence_prefix(run))]
    judged = ("/verdict.json", "/lost.json", "/judgement.json", ".alert.json")
    wanted = [name for name in stored if name.endswith(judged)]
    if not wanted:
        raise CommandError(
            "nothing was judged about this run",
            field="EVIDENCE",
            got=run,
            remedy=f"`sealtrain status {run}` tells how far it is",
        )
    given = Given(at=datetime.now(UTC))
    told = [read(objects.read(api, bucket, name) or b"", given) for name in wanted]
    short = [name.removeprefix(names.evidence_prefix(run)) for name in wanted]
    return together("run", told, {"run": run, "records": ", ".join(short)})


def _trust(file: Path, chosen: Path | None) -> trust.Trust | None:
    beside = file.resolve().parent / trust.FILE
    if chosen is None and not beside.exists():
        return None
    if chosen is None:
        note(f"using {beside}: keys that come with evidence prove nothing; give yours with --trust")
    return trust.read(chosen or beside)


def _keys(file: Path | None, online: bool) -> Callable[[policy.Issuer, str], KeySet] | None:
    if file is not None:
        data = trust.read_file(file, "--keys", key_sets.LIMIT_BYTES)
        return lambda _issuer, _wanted: key_sets.parse(data, "the keys that were given")
    return _fetched if online else None


def _fetched(issuer: policy.Issuer, wanted: str) -> KeySet:
    """The issuer's keys from the address in policy.toml, whatever the token says."""
    import requests

    def fetch() -> bytes:
        try:
            answer = requests.get(issuer.keys, timeout=10, allow_redirects=False, stream=True)
            answer.raise_for_status()
            return answer.raw.read(key_sets.LIMIT_BYTES + 1, decode_content=True)
        except requests.RequestException as error:
            raise OSError(str(error)) from error

    return KeyCache(fetch, time.monotonic, issuer.vouches).key_set(wanted)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(
            "no time", field="--at", got=text, expected="like 2026-11-25T12:00:00+00:00"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
