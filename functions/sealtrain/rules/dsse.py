"""Signed envelopes (DSSE v1) with ECDSA P-256 over SHA-256: bundles and receipts.

Rules enforced here:
- what is signed is the pre-authentication encoding of type and payload, never the JSON around it;
- an envelope is bounded in size before it is parsed, holds exactly one signature, and has no field
  that the format does not name;
- base64 is the canonical spelling only, so one envelope has one set of bytes;
- the key comes from the caller. `keyid` is a hint and decides nothing.

Not handled here: what the payload means, and whose key it is.

The same check without this program (`key.pem` is the signer's public key):

    jq -rj .payload envelope.json | base64 -d > payload
    jq -r '.signatures[0].sig' envelope.json | base64 -d > signature
    type=$(jq -rj .payloadType envelope.json)
    { printf 'DSSEv1 %d %s %d ' ${#type} "$type" $(wc -c < payload); cat payload; } > signed
    openssl dgst -sha256 -verify key.pem -signature signature signed
"""

import base64
import binascii
import hashlib
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sealtrain.rules.errors import EvidenceError

ENVELOPE_LIMIT_BYTES = 1 << 20


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
    der = _public_key(public_key_pem).public_bytes(
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


def parse(data: bytes, limit_bytes: int = ENVELOPE_LIMIT_BYTES) -> Envelope:
    """Read an envelope. Raises EvidenceError when it is too large or not one."""
    if len(data) > limit_bytes:
        raise EvidenceError(
            "the envelope is too large",
            field="envelope",
            got=f"{len(data)} bytes",
            expected=f"at most {limit_bytes} bytes",
        )
    try:
        envelope = msgspec.json.decode(data, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(
            "the envelope cannot be read",
            field="envelope",
            got=str(error)[:200],
            expected="a DSSE envelope: payloadType, payload, signatures[{keyid, sig}]",
        ) from error
    if len(envelope.signatures) != 1:
        raise EvidenceError(
            "the envelope does not hold exactly one signature",
            field="signatures",
            got=str(len(envelope.signatures)),
            expected="1",
        )
    return envelope


def verify(envelope: Envelope, public_key_pem: str, payload_type: str) -> bytes:
    """Give the payload if the key signed it as this type; else raise EvidenceError."""
    if envelope.payload_type != payload_type:
        raise EvidenceError(
            "the envelope holds another kind of payload",
            field="payloadType",
            got=envelope.payload_type[:200],
            expected=payload_type,
        )
    body = _base64(envelope.payload, "payload")
    check_signature(pae(payload_type, body), envelope.signatures[0].sig, public_key_pem, "signatures[0].sig")
    return body


def check_signature(data: bytes, signature: str, public_key_pem: str, field: str) -> None:
    """Raise EvidenceError unless the key made this signature (DER in base64) over the data."""
    der = _base64(signature, field)
    try:
        _public_key(public_key_pem).verify(der, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise EvidenceError(
            "the signature was not made by this key over this payload",
            field=field,
            got=f"{len(der)} bytes that do not verify",
            expected="an ECDSA P-256 SHA-256 signature by the pinned key",
        ) from error


def payload(envelope: Envelope) -> bytes:
    """Give the payload without any check of who signed it."""
    return _base64(envelope.payload, "payload")


def _public_key(pem: str) -> ec.EllipticCurvePublicKey:
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


def _base64(text: str, field: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvidenceError(
            "not base64", field=field, got=text[:60], expected="standard base64 with padding"
        ) from error
    if base64.b64encode(data).decode() != text:
        raise EvidenceError(
            "base64 in another spelling than the canonical one",
            field=field,
            got=text[-8:],
            expected="unused bits zero, padding in place",
        )
    return data
