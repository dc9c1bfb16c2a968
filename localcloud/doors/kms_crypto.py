"""Keys at work: encrypt, decrypt, sign, show the public key. Every use can leave an audit entry.

Rules
- Only an ENABLED version works, and only for its key's purpose: 400 FAILED_PRECONDITION, 400.
- Checksums that the caller sends are verified; those of the answer are always given.
- The person at the keyboard has no use of keys (identity.iam): callers need a binding of their own.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import google_crc32c

from localcloud.doors import Call, door
from localcloud.doors.errors import invalid, not_found
from localcloud.doors.kms_audit import audited
from localcloud.doors.kms_material import decrypt, encrypt, from_base64, public_pem, sign, version_of
from localcloud.doors.kms_use import KEY, VERSION, check_still_usable
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_ROOM = "cloudkms.projects.locations.keyRings.cryptoKeys"
_LIMIT = {"SOFTWARE": 65_536, "HSM": 8_192}  # bytes of plaintext, and of associated data


@door(f"{_ROOM}.encrypt", None, atomic=False)
def encrypt_(cloud: Cloud, call: Call) -> Json:
    """Encrypt with the primary version, or with the version that the path names."""
    return audited(cloud, call, "Encrypt", "cloudkms.cryptoKeyVersions.useToEncrypt", _encrypt)


@door(f"{_ROOM}.decrypt", None, atomic=False)
def decrypt_(cloud: Cloud, call: Call) -> Json:
    """Decrypt with whichever version encrypted."""
    return audited(cloud, call, "Decrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", _decrypt)


@door(f"{_ROOM}.cryptoKeyVersions.asymmetricSign", None, atomic=False)
def asymmetric_sign(cloud: Cloud, call: Call) -> Json:
    """Sign a SHA-256 digest, or data that is digested here."""
    return audited(cloud, call, "AsymmetricSign", "cloudkms.cryptoKeyVersions.useToSign", _sign)


@door(f"{_ROOM}.cryptoKeyVersions.getPublicKey", None, atomic=False)
def get_public_key(cloud: Cloud, call: Call) -> Json:
    """The public half in PEM."""
    return audited(cloud, call, "GetPublicKey", "cloudkms.cryptoKeyVersions.viewPublicKey", _public)


def _encrypt(cloud: Cloud, call: Call) -> Json:
    name = call.params["name"]
    key = _key(cloud, name, "ENCRYPT_DECRYPT")
    chosen = name if "/cryptoKeyVersions/" in name else key.get("_primary", f"{name}/cryptoKeyVersions/1")
    version = _working(cloud, chosen)
    plaintext, associated = _field(call, "plaintext"), _field(call, "additionalAuthenticatedData")
    limit = _LIMIT[version["protectionLevel"]]
    if len(plaintext) > limit or len(associated) > limit:
        raise invalid(f"plaintext, additionalAuthenticatedData: at most {limit} bytes each")
    number = int(version["name"].rpartition("/")[2])
    ciphertext = encrypt(version["_material"], number, plaintext, _bound(key, associated))
    return {
        "name": version["name"],
        "ciphertext": base64.b64encode(ciphertext).decode(),
        "ciphertextCrc32c": _crc(ciphertext),
        "verifiedPlaintextCrc32c": "plaintextCrc32c" in call.body,
        "verifiedAdditionalAuthenticatedDataCrc32c": "additionalAuthenticatedDataCrc32c" in call.body,
        "protectionLevel": version["protectionLevel"],
    }


def _decrypt(cloud: Cloud, call: Call) -> Json:
    key = _key(cloud, call.params["name"], "ENCRYPT_DECRYPT")
    ciphertext, associated = _field(call, "ciphertext"), _field(call, "additionalAuthenticatedData")
    name = f"{key['name']}/cryptoKeyVersions/{version_of(ciphertext)}"
    if cloud.store.get(VERSION, name) is None:
        raise invalid("Decryption failed: the ciphertext is invalid.")
    version = _working(cloud, name)
    plaintext = decrypt(version["_material"], ciphertext, _bound(key, associated))
    return {
        "plaintext": base64.b64encode(plaintext).decode(),
        "plaintextCrc32c": _crc(plaintext),
        "usedPrimary": name == key.get("_primary"),
        "protectionLevel": version["protectionLevel"],
    }


def _sign(cloud: Cloud, call: Call) -> Json:
    version = _signing(cloud, call)
    if ("data" in call.body) == ("digest" in call.body):
        raise invalid("digest, data: expected exactly one of them")
    if "data" in call.body:
        digest = hashlib.sha256(_field(call, "data")).digest()
    else:
        given = call.body["digest"]
        if set(given) != {"sha256"}:
            raise invalid(f"digest: got {sorted(given)}, expected sha256 for {version['algorithm']}")
        digest = from_base64(given["sha256"])
        _check_crc(call, "digest", digest)
        if len(digest) != 32:
            raise invalid(f"digest.sha256: got {len(digest)} bytes, expected 32")
    signature = sign(version["_material"], digest)
    return {
        "name": version["name"],
        "signature": base64.b64encode(signature).decode(),
        "signatureCrc32c": _crc(signature),
        "verifiedDigestCrc32c": "digestCrc32c" in call.body,
        "verifiedDataCrc32c": "dataCrc32c" in call.body,
        "protectionLevel": version["protectionLevel"],
    }


def _public(cloud: Cloud, call: Call) -> Json:
    version = _signing(cloud, call)
    pem = public_pem(version["_material"])
    return {
        "name": version["name"],
        "pem": pem,
        "pemCrc32c": _crc(pem.encode()),
        "algorithm": version["algorithm"],
        "protectionLevel": version["protectionLevel"],
    }


def _signing(cloud: Cloud, call: Call) -> Json:
    name = call.params["name"]
    _key(cloud, name, "ASYMMETRIC_SIGN")
    return _working(cloud, name)


def _key(cloud: Cloud, name: str, purpose: str) -> Json:
    key = cloud.store.get(KEY, name.partition("/cryptoKeyVersions/")[0])
    if key is None:
        raise not_found(f"CryptoKey {name}")
    if key["purpose"] != purpose:
        raise invalid(f"{name} has purpose {key['purpose']}, this call needs {purpose}")
    return key


def _working(cloud: Cloud, name: str) -> Json:
    version = cloud.store.get(VERSION, name)
    if version is None:
        raise not_found(f"CryptoKeyVersion {name}")
    check_still_usable(cloud, name)
    return version


def _bound(key: Json, associated: bytes) -> bytes:
    return str(key["name"]).encode() + b"\0" + associated


def _field(call: Call, field: str) -> bytes:
    content = from_base64(call.body.get(field) or "")
    _check_crc(call, field, content)
    return content


def _check_crc(call: Call, field: str, content: bytes) -> None:
    wanted = call.body.get(f"{field}Crc32c")
    if wanted is not None and int(wanted) != google_crc32c.value(content):
        raise invalid(f"The checksum in field {field}_crc32c did not match the data in field {field}.")


def _crc(content: bytes) -> str:
    return str(google_crc32c.value(content))
