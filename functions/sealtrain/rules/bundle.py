"""A run's bundle: one signed file that a stranger checks offline.

An in-toto Statement (v1) in a DSSE envelope. Its subjects are dataset, image and model by digest; its
predicate holds every record of the run as stored, the ledger with its RFC 6962 root, cost, claims and
the trust root. Rules enforced on checking:
- the key is the caller's, who knows how they came by it; the key named inside is a hint;
- the file has one spelling, so that no byte of it can change unseen;
- nothing stated is believed: records are hashed, the token is judged again under the caller's root at
  the time of the recorded verdict, the receipt's signature is checked under the attested key, root,
  cost, subjects and claims are computed anew and have to be equal.

A bundle of a failed or refused run checks as well: its claims then say what was not met.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sealtrain.rules import canonical, dsse, ledger, names, receipt, signing
from sealtrain.rules.claims import Claim, evaluate
from sealtrain.rules.cost import Cost
from sealtrain.rules.errors import EvidenceError, SealtrainError
from sealtrain.rules.evidence import certificates, policy
from sealtrain.rules.evidence.token import NOTHING_ATTESTED
from sealtrain.rules.facts import Evidence, Facts
from sealtrain.rules.outcome import objection
from sealtrain.rules.parsing import convert

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://sealtrain.dev/run/v1"
BUNDLE_LIMIT_BYTES = 32 << 20
LONGEST_REASON = 2000
"""Characters; what to do stands at the end of a reason, and is not to be cut off."""
SKEW = timedelta(minutes=5)
# What a record can raise that no computation is possible with.
_BROKEN = (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the statement is about: dataset, image, model, or the run itself where none came to be."""

    name: str
    digest: dict[str, str]


class TrustRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose word the attestation is: by name, and the pinned root's fingerprint."""

    name: str
    sha256: str


class Signer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hint at the key that signed; the check uses the caller's key."""

    keyid: str
    key_version: str
    public_key_pem: str


class Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is said about the run."""

    version: int
    run: str
    outcome: str
    reason: str
    closed_at: str
    trust_root: TrustRoot
    policy_version: str
    policy_digest: str
    evidence: Evidence
    ledger_root: str
    cost: Cost | None
    claims: tuple[Claim, ...]
    signer: Signer


class Statement(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"type": "_type", "predicate_type": "predicateType"},
):
    """An in-toto statement."""

    type: str
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: Predicate


class Check(msgspec.Struct, frozen=True):
    """One check of a bundle: whether it holds, and what was seen."""

    name: str
    ok: bool
    detail: str


def state(
    evidence: Evidence,
    *,
    root_pem: str,
    outcome: str,
    reason: str,
    closed_at: str,
    signer: Signer,
) -> Statement:
    """Write the statement about a run from its records."""
    facts = Facts(evidence, root_pem)
    return Statement(
        type=STATEMENT_TYPE,
        subject=_subjects(facts),
        predicate_type=PREDICATE_TYPE,
        predicate=Predicate(
            version=1,
            run=evidence.run,
            outcome=outcome,
            reason=reason[:LONGEST_REASON],
            closed_at=closed_at,
            trust_root=_trust_root(facts),
            policy_version=policy.load().version,
            policy_digest=policy.load().digest,
            evidence=evidence,
            ledger_root=ledger.tree_root(facts.entries),
            cost=facts.cost(closed_at),
            claims=evaluate(facts),
            signer=signer,
        ),
    )


def seal(statement: Statement, signer: Callable[[bytes], bytes]) -> bytes:
    """Sign a statement; `signer` gives the DER signature over the bytes it is handed."""
    body = canonical.dumps(statement)
    envelope = signing.sign(PAYLOAD_TYPE, body, signer, statement.predicate.signer.keyid)
    return signing.serialize(envelope)


def open_statement(data: bytes, public_key_pem: str) -> Statement:
    """Give the statement that this key signed. Raises EvidenceError on anything else."""
    return _parse_statement(_payload(data, public_key_pem))


def peek(data: bytes) -> Signer:
    """Give the bundle's own hint at its signer; nothing is checked. Raises EvidenceError."""
    envelope = dsse.parse(data, BUNDLE_LIMIT_BYTES)
    return _parse_statement(dsse.payload(envelope)).predicate.signer


def verify_bundle(
    data: bytes, public_key_pem: str, root_pem: str, now: datetime | None = None
) -> list[Check]:
    """Check a bundle offline with the caller's bundle key and attestation root (PEM).

    `now` (UTC), if given, refuses a bundle from the future. Never raises for what the bundle holds;
    it is good if every check is ok. What the run's claims say is read with `open_statement`.
    """
    checks: list[Check] = []
    try:
        payload = _payload(data, public_key_pem)
        detail = f"by the key that it is checked with, {signing.key_id(public_key_pem)}"
        checks.append(Check("signature", True, detail))
    except SealtrainError as error:
        checks.append(Check("signature", False, str(error)))
    except _BROKEN as error:
        checks.append(_unreadable(error))
    else:
        checks += _inside(payload, root_pem, now)
    return checks


def look_inside(data: bytes, root_pem: str, now: datetime | None = None) -> list[Check]:
    """Check what a bundle holds, whoever signed it: proves nothing, but shows where it was changed."""
    try:
        payload = dsse.payload(dsse.parse(data, BUNDLE_LIMIT_BYTES))
    except (SealtrainError, *_BROKEN):
        return []
    return _inside(payload, root_pem, now)


def _inside(payload: bytes, root_pem: str, now: datetime | None) -> list[Check]:
    checks: list[Check] = []
    try:
        statement = _parse_statement(payload)
        checks.append(Check("statement", True, f"{PREDICATE_TYPE}, run {statement.predicate.run}"))
        checks += _contents(statement, root_pem, now)
    except SealtrainError as error:
        checks.append(Check("statement", False, str(error)))
    except _BROKEN as error:
        checks.append(_unreadable(error))
    return checks


def _unreadable(error: Exception) -> Check:
    return Check("contents", False, f"cannot be checked: {str(error)[:200]}")


def _payload(data: bytes, public_key_pem: str) -> bytes:
    envelope = dsse.parse(data, BUNDLE_LIMIT_BYTES)
    if signing.serialize(envelope) != data:
        raise EvidenceError(
            "the file is not spelled as it was written",
            field="envelope",
            got=f"{len(data)} bytes in another spelling",
            expected="JSON as it was signed: without spaces, members in order",
        )
    wanted, named = signing.key_id(public_key_pem), envelope.signatures[0].keyid
    if named != wanted:
        raise EvidenceError(
            "another key signed it, by its own word, than the one that it is checked with",
            field="signatures[0].keyid",
            got=named,
            expected=wanted,
        )
    return dsse.verify(envelope, public_key_pem, PAYLOAD_TYPE)


def _parse_statement(payload: bytes) -> Statement:
    statement = convert(canonical.loads(payload), Statement, "the bundle", refusal=EvidenceError)
    kinds = (statement.type, statement.predicate_type, statement.predicate.version)
    if kinds != (STATEMENT_TYPE, PREDICATE_TYPE, 1):
        raise EvidenceError(
            "the statement is of another kind",
            field="predicateType",
            got=kinds,
            expected=(STATEMENT_TYPE, PREDICATE_TYPE, 1),
        )
    return statement


def _contents(statement: Statement, root_pem: str, now: datetime | None) -> Iterator[Check]:
    stated = statement.predicate
    facts = Facts(stated.evidence, root_pem)
    root = _trust_root(facts)
    yield _equal("trust root", root.name, stated.trust_root, root)
    yield _equal("policy", f"version {stated.policy_version}", stated.policy_digest, policy.load().digest)
    yield _records(stated.evidence)
    yield _equal("subjects", _named(statement), statement.subject, _subjects(facts))
    yield _token(facts)
    yield _later(facts)
    yield _receipt(facts)
    yield _completion(facts)
    yield _equal(
        "ledger root", f"{len(facts.entries)} entries", stated.ledger_root, ledger.tree_root(facts.entries)
    )
    yield _teardown(facts)
    yield _equal("cost", _cost(stated.cost), stated.cost, facts.cost(stated.closed_at))
    claims = evaluate(facts)
    met = sum(claim.verdict == "met" for claim in claims)
    yield _equal("claims", f"{met} of {len(claims)} met, computed anew", stated.claims, claims)
    objected = objection(stated.outcome, stated.evidence, claims)
    yield Check("outcome", not objected, objected or f"{stated.outcome}, as the records show")
    if now is not None:
        fresh = datetime.fromisoformat(stated.closed_at) <= now + SKEW
        yield Check("time", fresh, f"closed {stated.closed_at}, checked {now.isoformat()}")


def _equal(name: str, detail: str, stated: Any, found: Any) -> Check:
    if stated == found:
        return Check(name, True, detail)
    return Check(name, False, "; ".join(_differences(stated, found))[:1000])


def _differences(stated: Any, found: Any, where: str = "") -> Iterator[str]:
    """What differs alone: a reader is not to look for it in two long lists."""
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(stated, msgspec.Struct) and type(stated) is type(found):
        names = stated.__struct_fields__
        pairs = [(f"{where}.{name}", getattr(stated, name), getattr(found, name)) for name in names]
    elif isinstance(stated, tuple) and isinstance(found, tuple) and len(stated) == len(found):
        known = [getattr(one, "id", getattr(one, "name", number)) for number, one in enumerate(stated)]
        pairs = [(f"{where}.{name}", a, b) for name, a, b in zip(known, stated, found, strict=True)]
    if not pairs:
        yield f"{where.lstrip('.')} stated {str(stated)[:300]}, computed {str(found)[:300]}".lstrip()
    for inside, a, b in pairs:
        if a != b:
            yield from _differences(a, b, inside)


def _records(evidence: Evidence) -> Check:
    every = [*evidence.records.values(), *evidence.ledger, *evidence.logs]
    wrong = [one.name for one in every if canonical.digest(one.text.encode()) != one.sha256]
    own = names.evidence_prefix(evidence.run), names.shown_prefix(evidence.run)
    outside = [one.name for one in every if not one.name.startswith(own)]
    if wrong or outside:
        return Check("records", False, f"wrong digest: {wrong}, of another run: {outside}")
    return Check("records", True, f"{len(every)} records have their digests")


def _token(facts: Facts) -> Check:
    if "token" not in facts.evidence.records:
        return Check("token", True, "none: nothing was attested in this run")
    judgement, verdict = facts.judgement, facts.verdict
    if judgement is None or verdict is None:
        told = facts.problems.get("token", "no verdict, order, plan or machine to judge it by")
        return Check("token", verdict is None and "token" not in facts.problems, told)
    again = "met" if judgement.met else "not_met"
    reasons = [finding.reason for finding in judgement.findings]
    if again != verdict.verdict or judgement.token_digest != verdict.token_digest:
        return Check("token", False, f"recorded {verdict.verdict}, judged again {again}: {reasons}")
    if judgement.met:
        return Check("token", True, f"path, signature, nonce and policy hold: {judgement.trust_root}")
    return Check("token", True, f"was refused, and is refused again: {reasons}")


def _later(facts: Facts) -> Check:
    """What is said of a later attestation can be read, and the token that it is about is the one enclosed."""
    lost, alert, shown = facts.lost, facts.alert, facts.evidence.records.get("lost_token")
    broken = [f"{word}: {facts.problems[word]}" for word in ("lost", "alert") if word in facts.problems]
    if lost and (shown is None or (shown.name, shown.sha256) != (lost.token, lost.token_sha256)):
        broken.append(f"the token that it is about is not enclosed: {lost.token}")
    if broken:
        return Check("later attestations", False, "; ".join(broken))
    told = [f"lost {lost.time}" if lost else "", f"alarm {alert.time}" if alert else ""]
    codes = sorted({finding.reason for one in (lost, alert) if one for finding in one.reasons})
    said = ", ".join(filter(None, told))
    return Check("later attestations", True, f"{said}: {', '.join(codes)}" if said else "none was refused")


def _receipt(facts: Facts) -> Check:
    if "receipt" not in facts.evidence.records:
        return Check("receipt", True, "none: nothing was trained in this run")
    if facts.receipt is None:
        return Check("receipt", False, facts.problems.get("receipt", "no key to check it with"))
    return Check("receipt", True, "signed by the key beside the token")


def _completion(facts: Facts) -> Check:
    if "completion" not in facts.evidence.records:
        return Check("completion", True, "none: the workload's last word was not recorded")
    said = facts.completion
    if said is None:
        return Check("completion", False, facts.problems.get("completion", "no key to check it with"))
    return Check("completion", True, f"{said.state}, signed by the key beside the token")


def _teardown(facts: Facts) -> Check:
    if len(facts.entries) != len(facts.evidence.ledger):
        return Check("ledger", False, facts.problems.get("ledger", "an entry of another run"))
    open_ = [line.name for line in facts.lifetimes if not line.seen_absent]
    if open_:
        return Check("ledger", False, f"intended and never seen absent: {open_}")
    return Check("ledger", True, f"{len(facts.lifetimes)} resources, each intent has its end")


def _trust_root(facts: Facts) -> TrustRoot:
    """Google's name is stated only where a token of this run was met under Google's root."""
    try:
        root = certificates.load_root(facts.root_pem)
    except certificates.PathError:
        return TrustRoot(name=NOTHING_ATTESTED, sha256="")
    name = certificates.trust_root(root)
    if name != certificates.SIMULATED and not (facts.judgement and facts.judgement.met):
        name = NOTHING_ATTESTED
    return TrustRoot(name=name, sha256=certificates.fingerprint(root))


def _subjects(facts: Facts) -> tuple[Subject, ...]:
    found: list[tuple[str, str]] = []
    if facts.order is not None:
        found.append(("dataset", facts.order.dataset.id))
        found.append((facts.order.image.partition("@")[0], facts.order.image_digest))
    if facts.receipt is not None:
        found.append(("model", receipt.model_digest(facts.receipt)))
    if not found:
        found.append((f"run {facts.evidence.run}", canonical.digest(facts.evidence.run.encode())))
    return tuple(Subject(name, {"sha256": canonical.hex_of(value)}) for name, value in found)


def _named(statement: Statement) -> str:
    return ", ".join(f"{one.name} {one.digest.get('sha256', '')[:12]}" for one in statement.subject)


def _cost(cost: Cost | None) -> str:
    return "no machine was planned" if cost is None else f"{cost.usd} USD, estimated"
