"""What a piece of evidence shows, read from whatever it comes as, and judged as far as it can be judged.

- A verdict, a loss, an alert: the reasons are on record. A bundle: cli.explain_bundle.
- A token alone: signature, times, and every clause that needs neither run nor deployment. Audience and
  nonce are judged where the caller gives them or a token record binds them; what is not judged is named.
- A TDX quote: with Intel's collateral, or as "could not be checked".
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sealtrain.rules import records
from sealtrain.rules.evidence import attested, policy, strict, tdx, token
from sealtrain.rules.evidence.findings import Refused

from cli.errors import CommandError
from cli.explain_bundle import explain_bundle
from cli.told import Given, Told

EVERYTHING = "a verdict.json, a lost.json, an alert, a token or token.json, a bundle.json, or a TDX quote"
_NOBODY = policy.Deployment("", "", "", "", ())
_NO_RUN = policy.Run("", "", "", "", "", False)


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
        return explain_bundle(data, given)
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
        return Told("alert", alert.reasons, about)
    if "released" in fields:
        loss = records.parse(data, records.Loss, "EVIDENCE")
        about = {"run": loss.run, "time": loss.time, "token": loss.token, "policy": loss.policy_version}
        about["to do"] = attested.TO_DO[loss.released]
        return Told("lost attestation", loss.reasons, about)
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
    return Told("verdict", record.reasons, about, recorded=record.verdict)


def _quote(data: bytes, given: Given) -> Told:
    outcome = tdx.verify(data, given.collateral, tdx.Reference(at=given.at, policy=policy.load()))
    about = {
        **outcome.facts,
        "policy": outcome.policy_version,
        "verifier": outcome.verifier,
        "digest": outcome.evidence_digest,
    }
    return Told("TDX quote", outcome.findings, about, outcome.unjudged)


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
        return Told("token", (refusal.finding,), {"policy": shipped.version})
    judgement = token.judge(
        text,
        token.Expectation(
            root_pem=given.trust.keys.attestation_root_pem if given.trust else "",
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
    return Told("token", judgement.findings, about, (*unjudged, *specific))


def _unverified(text: str) -> tuple[dict[str, Any], str]:
    """Claims and key id as the token says, to choose what to judge it against; nothing is believed."""
    try:
        header, payload, _ = text.split(".")
        claims = strict.json_object(strict.base64url(payload, "payload"), "payload")
        key_id = strict.json_object(strict.base64url(header, "header"), "header").get("kid")
    except (Refused, ValueError):
        return {}, ""
    return claims, key_id if isinstance(key_id, str) else ""
