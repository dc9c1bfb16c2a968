"""Cases of attestation tokens in OIDC form, each with its key set and a policy of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sealtrain.rules import canonical
from sealtrain.rules.evidence import key_sets, policy, token
from sealtrain.rules.evidence.findings import Refused
from sealtrain.rules.evidence.policy import Clause

from tests.vectors.manifest import BrokenError, Case, Got
from tests.vectors.quotes import moment

NOBODY = policy.Deployment("", "", "", "", ())
NO_RUN = policy.Run("", "", "", "", "", False)
ADDRESSED = {
    "issuer",
    "audience",
    "nonce",
    "verification_time",
    "clock_skew_s",
    "max_token_bytes",
    "max_lifetime_s",
    "note_second_presentation",
}


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


# Field of a case's policy -> claim and operator of the clauses that it stands for.
CLAUSES: dict[str, tuple[str, str, str, Callable[[Any], tuple[Any, ...]]]] = {
    "hwmodel": ("hwmodel", "hwmodel", "one_of", lambda v: (_listed(v),)),
    "swname": ("swname", "swname", "equals", lambda v: (v,)),
    "dbgstat": ("dbgstat", "debug", "equals", lambda v: (v,)),
    "secboot": ("secboot", "secboot", "equals", lambda v: (v,)),
    "image_digest": ("submods.container.image_digest", "image", "one_of", lambda v: (_listed(v),)),
    "support_attributes_must_include": (
        "submods.confidential_space.support_attributes",
        "support",
        "contains",
        _listed,
    ),
    "gpu_cc_mode": ("submods.nvidia_gpu.cc_mode", "gpu", "equals", lambda v: (v,)),
    "project_id": ("submods.gce.project_id", "project", "equals", lambda v: (v,)),
    "project_number": ("submods.gce.project_number", "project", "equals", lambda v: (v,)),
    "zone": ("submods.gce.zone", "zone", "one_of", lambda v: (_listed(v),)),
    "instance_id": ("submods.gce.instance_id", "instance", "equals", lambda v: (v,)),
    "service_accounts": ("google_service_accounts", "account", "contains", _listed),
}


def judge(case: Case) -> Got:
    """Judge a token; a case about a second presentation shows it twice and tells of the second."""
    text = case.files["token"].decode("utf-8", "surrogateescape")
    try:
        expected = _expectation(case)
    except Refused as refusal:  # no keys, no verdict
        return Got("reject", refusal.finding.reason)
    judgement = token.judge(text, expected)
    if case.policy.get("note_second_presentation") and judgement.met:
        again = msgspec.structs.replace(expected, seen=frozenset({judgement.token_digest}))
        judgement = token.judge(text, again)
    reasons = ",".join(sorted({one.reason for one in judgement.findings}))
    return Got("accept" if judgement.met else "reject", reasons or "ok")


def _expectation(case: Case) -> token.Expectation:
    given = case.policy
    unknown = set(given) - ADDRESSED - set(CLAUSES)
    if unknown:
        raise BrokenError(f"policy fields that are not understood: {sorted(unknown)}")
    return token.Expectation(
        root_pem="",
        audience=given["audience"],
        nonce=given["nonce"],
        at=moment(given.get("verification_time")),
        policy=_policy(given),
        allowed=NOBODY,
        run=NO_RUN,
        issuer="of the case",
        keys=key_sets.parse(case.files["jwks"]),
    )


def _policy(given: dict[str, Any]) -> policy.Policy:
    shipped = policy.load()
    rules = policy.TokenRules(
        max_bytes=given.get("max_token_bytes", shipped.token.max_bytes),
        max_lifetime_s=given.get("max_lifetime_s", shipped.token.max_lifetime_s),
        max_skew_s=given.get("clock_skew_s", shipped.token.max_skew_s),
    )
    same = [one for one in shipped.issuers if one.iss == given["issuer"]]
    known = same[0] if same else policy.Issuer("", given["issuer"], ("RS256",), "", "")
    return policy.Policy(
        version="of the case",
        token=rules,
        quote=shipped.quote,
        issuers=(msgspec.structs.replace(known, name="of the case"),),
        clauses=tuple(_clauses(given)),
        digest=canonical.digest(canonical.dumps(given)),
    )


def _clauses(given: dict[str, Any]) -> list[Clause]:
    made = []
    for name, (claim, reason, operator, values) in CLAUSES.items():
        if given.get(name) is None:
            continue
        for value in values(given[name]):
            rule = {"id": name, "reason": reason, "claim": claim, "operator": operator, "expected": value}
            made.append(msgspec.convert({**rule, "sentence": name, "broken": [0]}, Clause))
    return made
