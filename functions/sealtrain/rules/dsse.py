"""Reading and verifying signed envelopes (DSSE v1, rules/signing.py): bundles and receipts.

Rules enforced here:
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

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.signing import Envelope, pae, public_key

ENVELOPE_LIMIT_BYTES = 1 << 20


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
        public_key(public_key_pem).verify(der, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise EvidenceError(
            "the signature was not made by this key over this payload",
            field=field,
            got=f"{len(der)} bytes that do not verify",
            expected="an ECDSA P-256 SHA-256 signature by the key that it is checked with",
        ) from error


def payload(envelope: Envelope) -> bytes:
    """Give the payload without any check of who signed it."""
    return _base64(envelope.payload, "payload")


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
