"""What a key version really does: AES-256-GCM for encryption, ECDSA P-256 for signatures.

A ciphertext carries the number of its version in front: magic (5 bytes), version (4), nonce (12),
sealed bytes.
"""

from __future__ import annotations

import base64
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from localcloud.doors.errors import invalid

SYMMETRIC = "GOOGLE_SYMMETRIC_ENCRYPTION"
SIGNATURE = "EC_SIGN_P256_SHA256"
_HEAD = struct.Struct(">5sI12s")
_MAGIC = b"local"


def new_material(algorithm: str) -> str:
    """Fresh secret material, base64."""
    if algorithm == SYMMETRIC:
        return base64.b64encode(os.urandom(32)).decode()
    der = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return base64.b64encode(der).decode()


def encrypt(material: str, version: int, plaintext: bytes, associated: bytes) -> bytes:
    """Seal under a version's key."""
    nonce = os.urandom(12)
    head = _HEAD.pack(_MAGIC, version, nonce)
    return head + AESGCM(base64.b64decode(material)).encrypt(nonce, plaintext, head + associated)


def version_of(ciphertext: bytes) -> int:
    """The number of the version that sealed it. Raises 400 if no key of ours did."""
    if len(ciphertext) < _HEAD.size or not ciphertext.startswith(_MAGIC):
        raise invalid("Decryption failed: the ciphertext is invalid.")
    return int(_HEAD.unpack(ciphertext[: _HEAD.size])[1])


def decrypt(material: str, ciphertext: bytes, associated: bytes) -> bytes:
    """Open; raises 400 if ciphertext, key or associated data do not belong together."""
    head, sealed = ciphertext[: _HEAD.size], ciphertext[_HEAD.size :]
    nonce = _HEAD.unpack(head)[2]
    try:
        return AESGCM(base64.b64decode(material)).decrypt(nonce, sealed, head + associated)
    except InvalidTag as error:
        raise invalid("Decryption failed: the ciphertext is invalid.") from error


def sign(material: str, digest: bytes) -> bytes:
    """A DER signature of a SHA-256 digest."""
    return _private(material).sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def public_pem(material: str) -> str:
    """The public key in PEM."""
    public = _private(material).public_key()
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, kind).decode()


def from_base64(text: str) -> bytes:
    """Bytes of a JSON field that was checked to be base64 (standard or URL alphabet, padding optional)."""
    whole = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    return base64.urlsafe_b64decode(whole.replace("+", "-").replace("/", "_"))


def _private(material: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_der_private_key(base64.b64decode(material), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - `new_material` made it
    return key
