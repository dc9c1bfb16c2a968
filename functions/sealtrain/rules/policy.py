"""The one attestation policy: read from policy.toml, checked here, and written as CEL for Google.

Rules enforced here:
- a clause compares one claim with one expected value; equal means same type and same value;
- an absent claim never satisfies a clause, except where the operator says so:
  `absent_or_empty` for the claim itself, `absent_or_equals` for the object that would hold it
  (a GPU that does not say its mode is not an absent GPU);
- every clause is checked, so a refusal names all that is wrong, each with got and expected;
- the pool's condition is the conjunction of the same clauses, as far as the pool can know them.

Not handled here: whether the token is genuine, fresh, and for us (rules/token.py).
"""

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from sealtrain.rules import canonical, names
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.settings import Settings

POLICY_FILE = Path(__file__).parent.parent / "policy.toml"
CONDITION_LIMIT_CHARS = 4096  # Google's limit on a provider's attributeCondition
SHOWN_CHARS = 200

Claims: TypeAlias = Mapping[str, Any]
Expected: TypeAlias = bool | str | tuple[str, ...]
Operator: TypeAlias = Literal[
    "equals", "one_of", "contains", "starts_with", "absent_or_equals", "absent_or_empty"
]

_ABSENT = object()


class Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule about one claim; policy.toml explains the fields."""

    id: str
    reason: str
    claim: str
    operator: Operator
    sentence: str
    expected: Expected | None = None
    source: str = msgspec.field(default="", name="from")
    when: str = ""
    cel: str = ""


class TokenRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for every token before its claims are looked at."""

    issuer: str
    max_bytes: int
    max_lifetime_s: int
    max_skew_s: int


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy, with the digest of the file that it was read from."""

    version: str
    token: TokenRules
    clauses: tuple[Clause, ...] = msgspec.field(name="clause")
    digest: str = ""


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a deployment allows, whatever the run."""

    project: str
    project_number: str
    zone_prefix: str
    workload_account: str
    approved_images: tuple[str, ...]


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this run's order, plan and ledger say about the machine that may have the key."""

    image_digest: str
    instance_id: str
    hwmodel: str
    gpu: bool


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is wrong: which rule, what was found, what had to be there."""

    reason: str
    field: str
    got: str
    expected: str
    sentence: str


def parse(data: bytes) -> Policy:
    """Read a policy file. Raises InvalidRequestError naming what is wrong with it."""
    try:
        policy = msgspec.convert(tomllib.loads(data.decode()), Policy)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidRequestError(
            "the policy cannot be read",
            field="policy.toml",
            got=str(error)[:SHOWN_CHARS],
            expected="the fields that its head explains",
        ) from error
    return msgspec.structs.replace(policy, digest=canonical.digest(data))


@lru_cache(maxsize=1)
def load() -> Policy:
    """Give the policy that this version of the program ships with."""
    return parse(POLICY_FILE.read_bytes())


def deployment(settings: Settings) -> Deployment:
    """Say what a deployment with these settings allows."""
    return Deployment(
        project=settings.project,
        project_number=settings.project_number,
        zone_prefix=f"{settings.region}-",
        workload_account=names.service_account(settings, "workload"),
        approved_images=tuple(settings.approved_images),
    )


def check(policy: Policy, claims: Claims, allowed: Deployment, run: Run) -> list[Finding]:
    """Give a finding for every clause that the claims do not satisfy; an empty list means met."""
    facts = {"deployment": allowed, "run": run}
    findings = []
    for clause in policy.clauses:
        if clause.when and _fact(clause.when, facts) is not True:
            continue
        expected = _expected(clause, facts)
        got = _claim(claims, clause.claim)
        if not _holds(clause.operator, got, expected, _parent_absent(claims, clause.claim)):
            findings.append(
                Finding(
                    reason=clause.reason,
                    field=clause.claim,
                    got="nothing" if got is _ABSENT else _shown(got),
                    expected=f"{clause.operator} {_shown(expected)}",
                    sentence=clause.sentence,
                )
            )
    return findings


def to_cel(policy: Policy, settings: Settings) -> str:
    """Write the condition of the workload identity pool's provider (at most 4096 characters)."""
    facts = {"deployment": deployment(settings)}
    parts = [
        clause.cel.replace("{expected}", _cel_literal(_expected(clause, facts)))
        for clause in policy.clauses
        if clause.cel
    ]
    condition = " && ".join(parts)
    if len(condition) > CONDITION_LIMIT_CHARS:
        raise InvalidRequestError(
            "the pool's condition would be too long for Google",
            field="SEALTRAIN_APPROVED_IMAGES",
            got=f"{len(condition)} characters for {len(settings.approved_images)} images",
            expected=f"at most {CONDITION_LIMIT_CHARS} characters",
            remedy="approve fewer images: remove the digests that no job uses any more",
        )
    return condition


def attribute_mapping() -> dict[str, str]:
    """Say how claims become attributes of the pool; `image_digest` is what the key is granted to.

    The subject names image and instance: it stays within Google's 127 characters, which the
    token's own `sub` (the address of the instance) need not.
    """
    digest = "assertion.submods.container.image_digest"
    return {
        "google.subject": f'{digest} + "::" + assertion.submods.gce.instance_id',
        "attribute.image_digest": digest,
    }


def _claim(claims: Claims, path: str) -> object:
    value: object = claims
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _ABSENT
        value = value[key]
    return value


def _parent_absent(claims: Claims, path: str) -> bool:
    parent = path.rpartition(".")[0]
    return _claim(claims, parent or path) is _ABSENT


def _fact(path: str, facts: Mapping[str, msgspec.Struct]) -> object:
    owner, _, name = path.partition(".")
    return getattr(facts[owner], name)


def _expected(clause: Clause, facts: Mapping[str, msgspec.Struct]) -> Expected | None:
    if not clause.source:
        return clause.expected
    value = _fact(clause.source, facts)
    return value if isinstance(value, tuple) else str(value)


def _holds(operator: Operator, got: object, expected: Expected | None, parent_absent: bool) -> bool:
    match operator:
        case "equals":
            return _same(got, expected)
        case "one_of":
            return isinstance(expected, tuple) and any(_same(got, one) for one in expected)
        case "contains":
            return isinstance(got, list) and any(_same(one, expected) for one in got)
        case "starts_with":
            return isinstance(got, str) and isinstance(expected, str) and got.startswith(expected)
        case "absent_or_equals":
            return parent_absent or _same(got, expected)
        case "absent_or_empty":
            return got is _ABSENT or got is None or got in ({}, [], "")


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _shown(value: object) -> str:
    listed = list(value) if isinstance(value, tuple) else value
    return json.dumps(listed, ensure_ascii=True)[:SHOWN_CHARS]


def _cel_literal(value: Expected | None) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=True)
