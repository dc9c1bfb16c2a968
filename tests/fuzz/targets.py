"""What is fuzzed: each target changes good evidence and says whether a verifier still took it.

An acceptance is a failure, unless what was changed is not evidence at all: padding, and the spelling of
certificates in PEM or of bytes in hex. For these a target compares what was verified, part by part.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sealtrain.rules.evidence import event_log, key_sets, merkle, policy, tdx, tdx_quote, token
from sealtrain.rules.evidence.findings import Finding, Refused

from tests.functions import authority
from tests.functions.rules.evidence.test_key_sets import jwk, key_set, oidc
from tests.fuzz.mutate import mutated

DATA = Path(__file__).parents[1] / "data" / "vectors"
THEN = datetime(2025, 6, 20, 12, tzinfo=UTC)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, 1.5, 1e308, "", "x", "\x00", "é" * 50, [], [[]], {}, {"a": {}},
    ["x"] * 7, [None],
)  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """One changed input: whether it was accepted although it must not be, and why it was refused."""

    accepted: bool
    reason: str


Target = Callable[[random.Random], Tried]


def pki_token(source: random.Random) -> Tried:
    """A token with its certificate path."""
    good = _good_tokens()
    return _judged(mutated(source.choice(good), source, good), authority.expectation(), good)


def oidc_token(source: random.Random) -> Tried:
    """A token under the issuer's key set."""
    good = _good_oidc()
    expected = authority.expectation(root_pem="", keys=_good_keys())
    return _judged(mutated(source.choice(good), source, good), expected, good)


def signed_claims(source: random.Random) -> Tried:
    """A genuine signature over claims of which one that is judged was replaced or removed."""
    body = copy.deepcopy(authority.claims())
    path = source.choice(_judged_paths()).split(".")
    target: Any = body
    for key in path[:-1]:
        target = target[key]
    value = source.choice(STRANGE)
    if value is None and source.random() < 0.5:
        target.pop(path[-1], None)
    else:
        target[path[-1]] = value
    if json.dumps(body) == json.dumps(authority.claims()):
        return Tried(False, "unchanged")
    return _judged(authority.issue(body).encode(), authority.expectation(), ())


def keys(source: random.Random) -> Tried:
    """A key set: whatever it holds, a token that another key signed is refused under it."""
    data = mutated(key_set(jwk("k1"), jwk("k2", key="other")), source)
    try:
        found = key_sets.parse(data)
    except Refused as refusal:
        return Tried(False, refusal.finding.reason)
    judgement = token.judge(_stranger(), authority.expectation(root_pem="", keys=found))
    return Tried(judgement.met, "signature or key")


def quote_v4(source: random.Random) -> Tried:
    """A version 4 quote, signatures alone: the weakest check that there is."""
    return _quote(source, "v4-uptodate.quote.bin", THEN)


def quote_v5(source: random.Random) -> Tried:
    """A version 5 quote, signatures alone."""
    return _quote(source, "v5-a.quote.bin", LATER)


def quote_with_collateral(source: random.Random) -> Tried:
    """A quote with its collateral, either of them changed."""
    quote, collateral = _file("tdx/v4-uptodate.quote.bin"), _file("tdx/v4-uptodate.collateral.json")
    reference = tdx.Reference(at=THEN, policy=policy.load())
    if source.random() < 0.5:
        changed = mutated(quote, source)
        outcome = tdx.verify(changed, collateral, reference)
        same = outcome.verdict == "met" and _verified(changed) == _verified(quote)
    else:
        changed = mutated(collateral, source)
        outcome = tdx.verify(quote, changed, reference)
        same = outcome.verdict == "met" and _meaning(changed) == _meaning(collateral)
    return Tried(outcome.verdict == "met" and not same, _first(outcome.findings))


def log(source: random.Random) -> Tried:
    """An event log beside its genuine quote."""
    good = _file("eventlog/gcp-cos113.ccel.bin")
    changed = mutated(good, source)
    reference = tdx.Reference(at=LATER, policy=policy.load(), signatures_only=True)
    outcome = event_log.verify(changed, _file("tdx/gcp-cos113.quote.bin"), None, reference)
    same = outcome.verdict == "met" and _extended(changed) == _extended(good)
    return Tried(outcome.verdict == "met" and not same, _first(outcome.findings))


def proof(source: random.Random) -> Tried:
    """A proof of inclusion or consistency with one of its digests, or its length, changed."""
    entry = copy.deepcopy(source.choice(_proofs()))
    leaves, roots = _tree()
    nodes = [bytes.fromhex(one) for one in entry["proof"]]
    if nodes and source.random() < 0.9:
        at = source.randrange(len(nodes))
        nodes[at] = mutated(nodes[at], source)
    else:
        nodes.insert(source.randrange(len(nodes) + 1), source.randbytes(32))
    if nodes == [bytes.fromhex(one) for one in entry["proof"]]:
        return Tried(False, "unchanged")
    if "index" in entry:
        index, size = entry["index"], entry["size"]
        held = merkle.includes(leaves[index], index, size, nodes, roots[size])
    else:
        first, second = entry["first"], entry["second"]
        held = merkle.consistent(first, second, roots[first], roots[second], nodes)
    return Tried(held, "proof")


# A target and how many of a hundred inputs it gets; those that take long get few.
TARGETS: dict[str, tuple[Target, int]] = {
    "token, PKI form": (pki_token, 22),
    "token, OIDC form": (oidc_token, 22),
    "claims, signed": (signed_claims, 4),
    "key set": (keys, 8),
    "TDX quote v4": (quote_v4, 12),
    "TDX quote v5": (quote_v5, 12),
    "TDX quote and collateral": (quote_with_collateral, 2),
    "event log and quote": (log, 10),
    "Merkle proof": (proof, 8),
}


def _judged(data: bytes, expected: token.Expectation, good: tuple[bytes, ...]) -> Tried:
    text = data.decode("utf-8", "surrogateescape")
    judgement = token.judge(text, expected)
    return Tried(judgement.met and data not in good, _first(judgement.findings))


def _quote(source: random.Random, name: str, at: datetime) -> Tried:
    good = _file(f"tdx/{name}")
    changed = mutated(good, source)
    reference = tdx.Reference(at=at, policy=policy.load(), signatures_only=True)
    outcome = tdx.verify(changed, None, reference)
    same = outcome.verdict == "met" and _verified(changed) == _verified(good)
    return Tried(outcome.verdict == "met" and not same, _first(outcome.findings))


def _first(findings: tuple[Finding, ...]) -> str:
    return findings[0].reason if findings else "unchanged in meaning"


def _verified(quote: bytes) -> tuple[Any, ...]:
    """All of a quote that is verified, its certificates by content."""
    parsed = tdx_quote.parse(quote)
    return (*parsed[:-1], _certificates(parsed.pck_path.rstrip(b"\0")))


def _meaning(collateral: bytes) -> dict[str, Any]:
    """What collateral says: certificates and bytes by content, signed texts to the letter."""
    found = {}
    for name, value in json.loads(collateral).items():
        if name.endswith("_chain"):
            found[name] = _certificates(value.encode())
        elif name.endswith(("_crl", "_signature")):
            found[name] = bytes.fromhex(value)
        elif name in tdx.COLLATERAL_FIELDS:
            found[name] = value
    return found


def _certificates(pem: bytes) -> list[bytes]:
    """A path's certificates but for the root, which is the pinned one whether it is shown or not."""
    shown = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]
    return [one for one in shown if hashlib.sha256(one).hexdigest() != tdx.INTEL_ROOT]


def _extended(log_bytes: bytes) -> list[tuple[int, bytes]]:
    """The digests that a log extends its registers by, in order."""
    events = event_log.parse(log_bytes)
    return [(one.register, one.digest) for one in events if one.kind != event_log.NO_ACTION and one.register]


@lru_cache(maxsize=16)
def _file(name: str) -> bytes:
    return (DATA / name).read_bytes()


@lru_cache(maxsize=1)
def _good_tokens() -> tuple[bytes, ...]:
    return (
        authority.issue(authority.claims()).encode(),
        authority.issue(authority.claims(submods__nvidia_gpu=authority.GPU)).encode(),
    )


@lru_cache(maxsize=1)
def _good_oidc() -> tuple[bytes, ...]:
    return (
        oidc(authority.claims()).encode(),
        oidc(authority.claims(eat_nonce="nonce-of-this-run-0001")).encode(),
    )


@lru_cache(maxsize=1)
def _stranger() -> str:
    return oidc(authority.claims(), key="stranger")


@lru_cache(maxsize=1)
def _good_keys() -> key_sets.KeySet:
    return key_sets.parse(key_set(jwk("k1"), jwk("k2", key="other")))


@lru_cache(maxsize=1)
def _judged_paths() -> tuple[str, ...]:
    """The claims that are always judged and that no strange value satisfies."""
    clauses = [one for one in policy.load().clauses if not one.when and not one.operator.startswith("absent")]
    return (*sorted({one.claim for one in clauses}), "iss", "aud", "exp", "nbf", "iat", "eat_nonce")


@lru_cache(maxsize=1)
def _proofs() -> list[dict[str, Any]]:
    document = json.loads(_file("merkle/merkle.json"))
    return [one for kind in ("inclusion", "consistency") for one in document[kind] if one["ok"]]


@lru_cache(maxsize=1)
def _tree() -> tuple[list[bytes], dict[int, bytes]]:
    document = json.loads(_file("merkle/merkle.json"))
    roots = {int(size): bytes.fromhex(one) for size, one in document["roots"].items()}
    return [bytes.fromhex(one) for one in document["leaves_hex"]], roots
