"""What a piece of evidence shows, read from whatever it comes as, and judged as far as it can be judged.

- A verdict, a loss, an alert, a bundle: the reasons are on record; a bundle's token is judged again.
- A token alone: signature, times, and every clause that needs neither run nor deployment. Audience and
  nonce are judged where the caller gives them or a token record binds them; what is not judged is named.
- A TDX quote: with Intel's collateral, or as "could not be checked".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sealtrain.rules import records
from sealtrain.rules.bundle import open_statement
from sealtrain.rules.evidence import attested, policy, reasons, strict, tdx, token
from sealtrain.rules.evidence.findings import Finding, Refused, verdict_of
from sealtrain.rules.evidence.key_sets import KeySet
from sealtrain.rules.facts import Facts

from cli.errors import CommandError
from cli.trust import Trust

EVERYTHING = "a verdict.json, a lost.json, an alert, a token or token.json, a bundle.json, or a TDX quote"
_NOBODY = policy.Deployment("", "", "", "", ())
_NO_RUN = policy.Run("", "", "", "", "", False)


@dataclass(frozen=True)
class Given:
    """What the caller trusts and knows; None for what is not given."""

    at: datetime
    trust: Trust | None = None
    keys: Callable[[policy.Issuer, str], KeySet] | None = None
    audience: str | None = None
    nonce: str | None = None
    collateral: bytes | None = None


@dataclass(frozen=True)
class Told:
    """What was found: `verdict` is met, not_met, unchecked, or not_judged where parts could not be."""

    kind: str
    verdict: str
    findings: tuple[Finding, ...]
    about: dict[str, str]
    unjudged: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same with the explanation of each reason code."""
        return {
            "evidence": self.kind,
            "verdict": self.verdict,
            "findings": [explained(one) for one in self.findings],
            "not_judged": list(self.unjudged),
            "about": self.about,
        }


def together(kind: str, told: Sequence[Told], about: dict[str, str]) -> Told:
    """Several records as one: every finding once, and the worst verdict."""
    order = ("not_met", "unchecked", "not_judged", "met")
    return Told(
        kind,
        min((one.verdict for one in told), key=order.index),
        tuple(dict.fromkeys(finding for one in told for finding in one.findings)),
        about,
        tuple(dict.fromkeys(name for one in told for name in one.unjudged)),
    )


def explained(finding: Finding) -> dict[str, str]:
    """A finding with its code's kind, meaning and remedy."""
    known = reasons.load().get(finding.reason)
    return {
        **msgspec.to_builtins(finding),
        "kind": known.kind if known else "bad",
        "means": known.means if known else "A code that this version does not know.",
        "remedy": known.remedy if known else "Use the version of sealtrain that wrote it.",
    }


def explain(data: bytes, given: Given) -> Told:
    """Read and judge. Raises CommandError for what is no evidence."""
    if data[:2] in (b"\x03\x00", b"\x04\x00", b"\x05\x00"):
        return _quote(data, given)
    text = data.strip()
    if text[:1] != b"{":
        if text.count(b".") != 2:
            raise _unknown("neither JSON, nor a token, nor a quote")
        return _token(text.decode("utf-8", "surrogateescape"), given, given.audience, given.nonce)
    try:
        fields = strict.json_object(text, "EVIDENCE")
    except Refused as refusal:
        raise _unknown(refusal.finding.got) from refusal
    if "payloadType" in fields:
        return _bundle(data, given)
    if "reasons" in fields:
        return _judged(data, fields.keys())
    if {"token", "public_key_pem"} <= fields.keys():
        record = records.parse(data, records.TokenRecord, "EVIDENCE")
        bound = records.nonce(record.order_digest, record.public_key_pem)
        return _token(record.token, given, given.audience, given.nonce or bound)
    raise _unknown("JSON with other fields: " + ", ".join(sorted(fields))[:100])


def _judged(data: bytes, fields: Collection[str]) -> Told:
    """A record whose reasons are there already."""
    if "source" in fields:
        alert = records.parse(data, records.Alert, "EVIDENCE")
        about = {"run": alert.run, "time": alert.time, "entry": alert.source, "policy": alert.policy_version}
        return Told("alert", verdict_of(alert.reasons), alert.reasons, about)
    if "released" in fields:
        loss = records.parse(data, records.Loss, "EVIDENCE")
        about = {"run": loss.run, "time": loss.time, "token": loss.token, "policy": loss.policy_version}
        about["to do"] = attested.TO_DO[loss.released]
        return Told("lost attestation", verdict_of(loss.reasons), loss.reasons, about)
    return _verdict(records.parse(data, records.VerdictRecord, "EVIDENCE"))


def _unknown(got: str) -> CommandError:
    return CommandError(
        "this is no evidence that is known here", field="EVIDENCE", got=got, expected=EVERYTHING
    )


def _verdict(record: records.VerdictRecord) -> Told:
    about = {
        "run": record.run,
        "time": record.time,
        "trust root": record.trust_root,
        "policy": record.policy_version,
        "verifier": record.verifier,
        "token": record.token_digest,
    }
    return Told(
        "verdict", record.verdict if not record.reasons else verdict_of(record.reasons), record.reasons, about
    )


def _bundle(data: bytes, given: Given) -> Told:
    if given.trust is None:
        raise CommandError("a bundle needs the public keys to check it with", field="--trust", got="nothing")
    predicate = open_statement(data, given.trust.bundle_key_pem).predicate
    facts = Facts(predicate.evidence, given.trust.attestation_root_pem)
    recorded = tuple(
        finding for one in (facts.verdict, facts.lost, facts.alert) if one for finding in one.reasons
    )
    again = facts.judgement.findings if facts.judgement else ()
    findings = tuple(dict.fromkeys((*recorded, *again)))
    about = {"run": predicate.run, "outcome": predicate.outcome, "trust root": predicate.trust_root.name}
    unjudged = (
        () if facts.judgement else ("token: " + (facts.problems.get("token") or "the bundle holds none"),)
    )
    return Told("bundle", _worst(findings, unjudged), findings, about, unjudged)


def _quote(data: bytes, given: Given) -> Told:
    outcome = tdx.verify(data, given.collateral, tdx.Reference(at=given.at, policy=policy.load()))
    about = {
        **outcome.facts,
        "policy": outcome.policy_version,
        "verifier": outcome.verifier,
        "digest": outcome.evidence_digest,
    }
    verdict = outcome.verdict if outcome.findings else _worst((), outcome.unjudged)
    return Told("TDX quote", verdict, outcome.findings, about, outcome.unjudged)


def _token(text: str, given: Given, audience: str | None, nonce: str | None) -> Told:
    claims, key_id = _unverified(text)
    shipped = policy.load()
    issuers = [one for one in shipped.issuers if one.iss == claims.get("iss")] or list(shipped.issuers)
    general = tuple(one for one in shipped.clauses if not one.source and not one.when)
    specific = [one.id for one in shipped.clauses if one not in general]
    nonces = claims.get("eat_nonce")
    own = nonces[0] if isinstance(nonces, list) and nonces else nonces
    try:
        keys = given.keys(issuers[0], key_id) if given.keys else None
    except Refused as refusal:
        return Told("token", verdict_of((refusal.finding,)), (refusal.finding,), {"policy": shipped.version})
    judgement = token.judge(
        text,
        token.Expectation(
            root_pem=given.trust.attestation_root_pem if given.trust else "",
            audience=str(claims.get("aud", "")) if audience is None else audience,
            nonce=str(own) if nonce is None else nonce,
            at=given.at,
            policy=msgspec.structs.replace(shipped, clauses=general),
            allowed=_NOBODY,
            run=_NO_RUN,
            issuer=issuers[0].name,
            keys=keys,
        ),
    )
    unjudged = [name for name, value in (("audience", audience), ("nonce", nonce)) if value is None]
    about = {
        "trust root": judgement.trust_root,
        "policy": judgement.policy_version,
        "verifier": judgement.verifier,
        "digest": judgement.token_digest,
    }
    return Told(
        "token",
        _worst(judgement.findings, (*unjudged, *specific)),
        judgement.findings,
        about,
        (*unjudged, *specific),
    )


def _unverified(text: str) -> tuple[dict[str, Any], str]:
    """Claims and key id as the token says, to choose what to judge it against; nothing is believed."""
    try:
        header, payload, _ = text.split(".")
        claims = strict.json_object(strict.base64url(payload, "payload"), "payload")
        key_id = strict.json_object(strict.base64url(header, "header"), "header").get("kid")
    except (Refused, ValueError):
        return {}, ""
    return claims, key_id if isinstance(key_id, str) else ""


def _worst(findings: tuple[Finding, ...], unjudged: tuple[str, ...]) -> str:
    return "not_judged" if unjudged and not findings else verdict_of(findings)
