"""The one attestation policy: read from policy.toml, checked here, and written as CEL for Google.

Rules enforced here:
- a clause compares one claim with one expected value; equal means same type and same value;
- an absent claim never satisfies a clause, except where the operator says so:
  `absent_or_empty` for the claim itself, `absent_or_equals` for the object that would hold it
  (a GPU that does not say its mode is not an absent GPU);
- every clause is checked, so a refusal names all that is wrong, each with got and expected;
- the pool's condition is the conjunction of the same clauses, as far as the pool can know them;
- a clause names values that break it: tests make a token of each and show it to both locks.

Not handled here: whether the token is genuine, fresh, and for us (rules/evidence/token.py).
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from sealtrain.rules import canonical, names
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.evidence.findings import SHOWN_CHARS, Finding
from sealtrain.rules.settings import Settings

POLICY_FILE = Path(__file__).parents[2] / "policy.toml"
CONDITION_LIMIT_CHARS = 4096  # Google's limit on a provider's attributeCondition

Claims: TypeAlias = dict[str, Any]
Expected: TypeAlias = bool | int | str | tuple[str, ...]
Operator: TypeAlias = Literal[
    "equals",
    "one_of",
    "all_one_of",
    "contains",
    "starts_with",
    "not_before",
    "absent_or_equals",
    "absent_or_empty",
]

_ABSENT = object()


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service that issues tokens: its exact name, its algorithms, where it publishes its keys."""

    name: str
    iss: str
    algorithms: tuple[Literal["RS256", "PS384"], ...]
    keys: str
    vouches: str
    writes_jku: bool = False


class Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule about one claim; policy.toml explains the fields."""

    id: str
    reason: str
    claim: str
    operator: Operator
    sentence: str
    broken: Annotated[tuple[Any, ...], msgspec.Meta(min_length=1)]
    expected: Expected | None = None
    source: str = msgspec.field(default="", name="from")
    when: str = ""
    cel: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        """The claim's path, key by key."""
        return _path(self.claim)


class TokenRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for every token before its claims are looked at."""

    max_bytes: int
    max_lifetime_s: int
    max_skew_s: int


class QuoteRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Intel's collateral has to say about a TDX platform: only these TCB statuses pass."""

    accepted_statuses: tuple[str, ...]
    refused_advisories: tuple[str, ...]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy, with the digest of the file that it was read from."""

    version: str
    token: TokenRules
    quote: QuoteRules
    issuers: tuple[Issuer, ...] = msgspec.field(name="issuer")
    clauses: tuple[Clause, ...] = msgspec.field(name="clause")
    digest: str = ""

    def issuer(self, name: str) -> Issuer:
        """The profile of an issuer. Raises KeyError for a name that the policy does not have."""
        for one in self.issuers:
            if one.name == name:
                return one
        raise KeyError(name)


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
    instance_name: str
    zone: str
    hwmodel: str
    gpu: bool

    @property
    def tdx(self) -> bool:
        """Whether Intel TDX was planned."""
        return self.hwmodel == "GCP_INTEL_TDX"


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
        got = _claim(claims, clause.path)
        if not _holds(clause, got, expected, claims):
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
    condition = " && ".join(
        written for written in (clause_cel(one, settings) for one in policy.clauses) if written
    )
    if len(condition) > CONDITION_LIMIT_CHARS:
        raise InvalidRequestError(
            "the pool's condition would be too long for Google",
            field="SEALTRAIN_APPROVED_IMAGES",
            got=f"{len(condition)} characters for {len(settings.approved_images)} images",
            expected=f"at most {CONDITION_LIMIT_CHARS} characters",
            remedy="approve fewer images: remove the digests that no job uses any more",
        )
    return condition


def clause_cel(clause: Clause, settings: Settings) -> str:
    """Write one clause's part of the condition; empty for what the pool cannot know."""
    if not clause.cel:
        return ""
    expected = _expected(clause, {"deployment": deployment(settings)})
    return clause.cel.replace("{expected}", _cel_literal(expected))


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


@lru_cache(maxsize=256)
def _path(claim: str) -> tuple[str, ...]:
    return tuple(claim.split("."))


def _claim(claims: Claims, path: tuple[str, ...]) -> object:
    """The value at a path; a last key under a `list[]` gives that key of every entry."""
    value: object = claims
    for position, key in enumerate(path):
        if not isinstance(value, dict):
            return _ABSENT
        if key.endswith("[]"):
            listed = value.get(key[:-2])
            if not isinstance(listed, list):
                return _ABSENT
            return [_claim(one, path[position + 1 :]) for one in listed]
        value = value.get(key, _ABSENT)
    return value


def _fact(path: str, facts: Mapping[str, msgspec.Struct]) -> object:
    owner, name = _path(path)
    return getattr(facts[owner], name)


def _expected(clause: Clause, facts: Mapping[str, msgspec.Struct]) -> Expected | None:
    if not clause.source:
        return clause.expected
    value = _fact(clause.source, facts)
    return value if isinstance(value, tuple) else str(value)


def _holds(clause: Clause, got: object, expected: Expected | None, claims: Claims) -> bool:
    if clause.operator == "absent_or_equals":
        holder = clause.path[:-1] or clause.path
        return _claim(claims, holder) is _ABSENT or _same(got, expected)
    return _OPERATORS[clause.operator](got, expected)


def _listed(one: object, expected: Expected | None) -> bool:
    return isinstance(expected, tuple) and any(_same(one, other) for other in expected)


def _from_on(one: object, expected: Expected | None) -> bool:
    """Whether both are dates of six digits, YYMMDD, as image versions are, and one is not earlier."""
    if not (isinstance(one, str) and isinstance(expected, str)):
        return False
    return len(one) == 6 and one.isascii() and one.isdigit() and one >= expected


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _empty(got: object) -> bool:
    return got is _ABSENT or got is None or got in ({}, [], "")


_OPERATORS: Mapping[Operator, Callable[[object, Expected | None], bool]] = {
    "equals": _same,
    "one_of": _listed,
    "all_one_of": lambda got, want: (
        isinstance(got, list) and bool(got) and all(_listed(one, want) for one in got)
    ),
    "contains": lambda got, want: isinstance(got, list) and any(_same(one, want) for one in got),
    "starts_with": lambda got, want: isinstance(got, str) and isinstance(want, str) and got.startswith(want),
    "not_before": lambda got, want: (
        isinstance(got, list) and bool(got) and all(_from_on(one, want) for one in got)
    ),
    "absent_or_empty": lambda got, _: _empty(got),
}


def _shown(value: object) -> str:
    listed = list(value) if isinstance(value, tuple) else value
    return json.dumps(listed, ensure_ascii=True, default=lambda _: "nothing")[:SHOWN_CHARS]


def _cel_literal(value: Expected | None) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=True)
