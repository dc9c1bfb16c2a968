"""`sealtrain explain EVIDENCE`: what failed, what was expected, bad or could not be checked, what to do.

EVIDENCE is a file, or the id of a run: then its end, its claims, its verdicts and its alerts are read from
the deployment. A run that ended otherwise than well, a check that fails and a claim that is not shown are
found as well. Exit 0 if nothing was found, 1 if something was, 2 if it is no evidence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sealtrain.rules import names
from sealtrain.rules.bundle import BUNDLE_LIMIT_BYTES
from sealtrain.rules.claims import Claim
from sealtrain.rules.evidence import key_sets, policy
from sealtrain.rules.evidence.key_sets import KeyCache, KeySet
from sealtrain.rules.evidence.tdx import COLLATERAL_LIMIT_BYTES
from sealtrain.rules.settings import Settings

from cli import objects, place, run_records, trust
from cli.api import Api
from cli.ending import ending
from cli.errors import EXIT_NO, CommandError
from cli.explain import explain as read
from cli.explain_bundle import open_claims
from cli.output import emit, plain, say
from cli.progress import Progress
from cli.told import Given, Open, Told, explained, together
from cli.verbs.runs import state

WORDS = {
    "met": "nothing is wrong with it",
    "not_met": "bad",
    "unchecked": "could not be checked",
    "no_evidence": "some claims have no evidence",
    "not_judged": "nothing was found wrong, and not all could be judged",
}
_ENDED = {"failed": "the run failed", "refused": "the run was refused", "torn_down": "the run was torn down"}
_OF_CLAIMS = {"not_met": "not met", "no_evidence": "no evidence"}


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
            trust=trust.choose(file, trust_file),
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
    return 0 if told.well else EXIT_NO


def lines(told: Told) -> list[str]:
    """Verdict first; then the run's end, failed checks, findings and open claims, each with what to do."""
    shown = [f"{told.kind}: {_headline(told)}"]
    about = dict(told.about)
    if told.ending is not None:
        end = told.ending
        about |= {"outcome": end.outcome, "why": end.why, "do": end.remedy}
    shown += [f"  {name:<12} {plain(value)}" for name, value in about.items() if value]
    for check in told.checks:
        shown += ["", f"check failed: {check.name}", *_why([check.detail], check.remedy)]
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
    shown += _claims(told.claims)
    if told.unjudged:
        shown += ["", "not judged: " + ", ".join(plain(one) for one in told.unjudged)]
    return shown


def _headline(told: Told) -> str:
    """How its run ended, if not well, and the worst that was found."""
    outcome = told.ending.outcome if told.ending else "succeeded"
    end = "" if outcome == "succeeded" else _ENDED.get(outcome, f"the run ended as {plain(outcome)}")
    unmet = any(one.verdict == "not_met" for one in told.claims) and not told.checks
    word = "some claims are not met" if unmet else WORDS.get(told.verdict, told.verdict)
    found = "" if end and told.verdict == "met" else word
    return "; ".join(filter(None, (end, found)))


def _claims(claims: tuple[Open, ...]) -> list[str]:
    """Claims one below the other; those with the same remedy are told together."""
    shown: list[str] = []
    for verdict, word in _OF_CLAIMS.items():
        of_verdict = [one for one in claims if one.verdict == verdict]
        for remedy in dict.fromkeys(one.remedy for one in of_verdict):
            same = [one for one in of_verdict if one.remedy == remedy]
            shown.append("")
            shown += [f"{word}: {plain(one.title)} ({plain('; '.join(one.reasons))})" for one in same]
            shown.append(f"  do        {plain(remedy)}")
    return shown


def _why(found: list[str], remedy: str) -> list[str]:
    return [*(f"  found     {plain(one)}" for one in found), f"  do        {plain(remedy)}"]


def _of_run(run: str) -> Told:
    """How the run ended, what of it is not shown, its verdict, what was found later, and its alerts."""
    settings = place.find(os.environ, Path.cwd())
    api, bucket = Api(settings), names.evidence_bucket(settings)
    found = run_records.known_progress(api, settings, run)
    stored = [one.name for one in objects.listing(api, bucket, names.evidence_prefix(run))]
    judged = ("/verdict.json", "/lost.json", "/judgement.json", ".alert.json")
    wanted = [name for name in stored if name.endswith(judged)]
    given = Given(at=datetime.now(UTC))
    short = [name.removeprefix(names.evidence_prefix(run)) for name in wanted]
    about = {"run": run, "records": ", ".join(short)}
    goes_on = () if found.ended else (f"claims: they are drawn up when the run is closed ({state(found)})",)
    return together(
        "run",
        [read(objects.read(api, bucket, name) or b"", given) for name in wanted],
        about=about,
        ending=ending(found),
        claims=_claimed(api, settings, found),
        unjudged=goes_on,
    )


def _claimed(api: Api, settings: Settings, found: Progress) -> tuple[Open, ...]:
    """The claims that the report of a closed run leaves open."""
    if not found.outcome:
        return ()
    report = run_records.evidence(api, settings, found.run, names.report(found.run, "json"))
    claims = msgspec.convert(report["claims"], tuple[Claim, ...])
    return open_claims(claims, found.outcome, found.run)


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
