"""The records of a run that the evidence rules read and write, as types.

Rules enforced here:
- a record is parsed once, the unknown refused; a broken record raises EvidenceError, never less;
- the evidence token's nonce binds the order and the workload's signing key: SHA-256, in hex, over
  the order's digest, a line feed, and the key in DER form. No other run and no other key has it.
"""

import hashlib
from typing import Any, Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives import serialization

from sealtrain.rules import canonical, dsse
from sealtrain.rules.errors import EvidenceError, InvalidRequestError
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.evidence.policy import Deployment
from sealtrain.rules.parsing import convert

RECORD_LIMIT_BYTES = 4 << 20
PEM_LIMIT_CHARS = 2048

Kind = TypeVar("Kind")


class TokenRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the workload wrote: its token, and the key that the token's nonce binds."""

    token: str
    public_key_pem: str
    order_digest: str


class VerdictRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What verify_evidence decided before any key was handed over. `time` is RFC 3339 UTC.

    `allowed` is what the deployment allowed at that time; None where no token could be judged.
    """

    run: str
    verdict: Literal["met", "not_met"]
    reasons: tuple[Finding, ...]
    time: str
    order_digest: str
    token_digest: str
    trust_root: str
    policy_version: str
    policy_digest: str
    verifier: str
    allowed: Deployment | None = None


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That an accepted machine lost its attestation. `time` is when that was seen, RFC 3339 UTC.

    `token` is the later token record that was refused; of a silence, the newest that was good. `released`:
    whether the data key had been handed over by then, so that it cannot be taken back.
    """

    run: str
    time: str
    reasons: tuple[Finding, ...]
    token: str
    token_sha256: str
    released: bool
    policy_version: str
    policy_digest: str
    verifier: str


class Alert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a log entry raised. `time` is the entry's own; `source` the kept entry, by name and digest.

    `released`: whether the data key had been handed over by then, so that it cannot be taken back.
    """

    run: str
    time: str
    reasons: tuple[Finding, ...]
    source: str
    source_sha256: str
    released: bool
    policy_version: str


class PublishedObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed model object as it was found in the models bucket; size in bytes."""

    object: str
    generation: str
    size: int
    sha256: str


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What publish_model read and compared with the receipt, byte by byte."""

    run: str
    time: str
    receipt_digest: str
    objects: tuple[PublishedObject, ...]


class Completion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the workload told job-events at its end, and when it was recorded.

    `left_digest` is that of what it left: its receipt or, preempted, its checkpoint's manifest. `signature`
    is base64, ECDSA P-256 over `said`, by the key that the run's token binds.
    """

    run: str
    state: Literal["succeeded", "failed"]
    reason: str
    left_digest: str | None
    signature: str
    time: str

    def said(self) -> bytes:
        """What was signed: the canonical JSON of the message without its signature."""
        return canonical.dumps(
            {
                "run": self.run,
                "state": self.state,
                "reason": self.reason,
                "left_digest": self.left_digest,
            }
        )

    def check(self, by: TokenRecord) -> None:
        """Raise EvidenceError unless the key beside this token signed it."""
        dsse.check_signature(self.said(), self.signature, by.public_key_pem, "completion.signature")


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a run ended. `time` is when it was closed, RFC 3339 UTC.

    `followed_by` is the run of the attempt that follows by itself; empty if none does.
    """

    run: str
    outcome: str
    reason: str
    time: str
    bundle_sha256: str
    followed_by: str = ""


def parse(data: bytes, kind: type[Kind], what: str) -> Kind:
    """Read a record strictly. Raises EvidenceError naming the field."""
    return convert(plain(data, what), kind, what, refusal=EvidenceError)


def plain(data: bytes, what: str) -> Any:
    """Read a record as plain JSON values, strictly. Raises EvidenceError."""
    if len(data) > RECORD_LIMIT_BYTES:
        raise EvidenceError(
            f"{what} is too large",
            field=what,
            got=f"{len(data)} bytes",
            expected=f"at most {RECORD_LIMIT_BYTES} bytes",
        )
    try:
        return canonical.loads(data)
    except InvalidRequestError as error:
        raise EvidenceError(
            f"{what} is not strict JSON", field=what, got=str(error), expected="one JSON value"
        ) from error


def nonce(order_digest: str, public_key_pem: str) -> str:
    """Give the nonce that binds an order and a signing key. Raises EvidenceError for a bad key."""
    try:
        if len(public_key_pem) > PEM_LIMIT_CHARS:
            raise ValueError(f"{len(public_key_pem)} characters")
        key = serialization.load_pem_public_key(public_key_pem.encode())
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except ValueError as error:
        raise EvidenceError(
            "the workload's public key cannot be read",
            field="public_key_pem",
            got=error,
            expected="a P-256 public key in PEM",
        ) from error
    return hashlib.sha256(order_digest.encode() + b"\n" + der).hexdigest()


def published(run: str) -> str:
    """Evidence: what was compared in the models bucket."""
    return f"runs/{run}/evidence/published.json"
