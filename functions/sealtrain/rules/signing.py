"""Signed envelopes (DSSE v1) and their making, with ECDSA P-256 over SHA-256: bundles and receipts.

- What is signed is the pre-authentication encoding of type and payload, never the JSON around it.
- `keyid` is a hint at the key and decides nothing.

Reading and verifying: rules/dsse.py. Who only signs, as the attested machine does, carries no more than this.
"""

import base64
import hashlib
from collections.abc import Callable

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sealtrain.rules.errors import EvidenceError


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature: base64 of an ECDSA signature in DER, and a hint at the key."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A payload (base64) with its type and its one signature."""

    payload_type: str
    payload: str
    signatures: tuple[Signature, ...]


def pae(payload_type: str, body: bytes) -> bytes:
    """Give the bytes that are signed for a payload of a type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def key_id(public_key_pem: str) -> str:
    """Name a public key by the SHA-256 of its DER form."""
    der = public_key(public_key_pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "sha256:" + hashlib.sha256(der).hexdigest()


def sign(payload_type: str, body: bytes, signer: Callable[[bytes], bytes], keyid: str) -> Envelope:
    """Seal a payload; `signer` takes the bytes to sign and gives the DER signature over them."""
    signature = signer(pae(payload_type, body))
    return Envelope(
        payload_type=payload_type,
        payload=base64.b64encode(body).decode(),
        signatures=(Signature(keyid=keyid, sig=base64.b64encode(signature).decode()),),
    )


def serialize(envelope: Envelope) -> bytes:
    """Give the one spelling of an envelope as bytes."""
    return msgspec.json.encode(envelope, order="sorted")


def public_key(pem: str) -> ec.EllipticCurvePublicKey:
    """Read a P-256 public key. Raises EvidenceError."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise EvidenceError(
            "the public key cannot be read",
            field="public_key_pem",
            got=f"{len(pem)} characters",
            expected="a P-256 public key in PEM",
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EvidenceError(
            "the public key is of another kind",
            field="public_key_pem",
            got=type(key).__name__,
            expected="a P-256 public key",
        )
    return key
