"""The attestation service's own keys: one for OIDC tokens, and a certificate chain for PKI tokens.

Made once per state folder. Every certificate says SIMULATED: nothing signed here can pass for Google's.
"""

from __future__ import annotations

import base64
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.world.cloud import Cloud

ROOT_NAME = "SIMULATED Confidential Space Root (stand-in)"
INTERMEDIATE_NAME = "SIMULATED Confidential Space Intermediate (stand-in)"
LEAF_NAME = "SIMULATED Confidential Space Token Signer (stand-in)"
_OIDC_KID = "simulated-attestation-1"
_YEARS = 10
_MAKING = threading.Lock()


class AttestationKeys:
    """Signs tokens. `folder` is made and filled when it does not exist."""

    def __init__(self, folder: Path) -> None:
        with _MAKING:
            if not folder.exists():
                _make(folder)
        self._oidc = _private(folder / "oidc.pem")
        self._leaf = _private(folder / "leaf.pem")
        self.root_pem = (folder / "root.crt").read_text()
        chain = [folder / name for name in ("leaf.crt", "intermediate.crt", "root.crt")]
        self._x5c = [_der64(file) for file in chain]

    def sign_oidc(self, claims: dict[str, Any]) -> str:
        """A token whose key the issuer publishes."""
        return jwt.encode(claims, self._oidc, algorithm="RS256", headers={"kid": _OIDC_KID})

    def sign_pki(self, claims: dict[str, Any]) -> str:
        """A token that carries its certificates (leaf first), so that it verifies offline."""
        return jwt.encode(claims, self._leaf, algorithm="RS256", headers={"x5c": self._x5c})

    def verify_oidc(self, token: str) -> dict[str, Any]:
        """The claims of an OIDC token that was signed here. Times and audience are the caller's to judge."""
        options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
        claims: dict[str, Any] = jwt.decode(token, self._oidc.public_key(), ["RS256"], options=options)
        return claims


def attestation_keys(cloud: Cloud) -> AttestationKeys:
    """The keys of this stand-in."""
    if "attestation" not in cloud.live:
        cloud.live["attestation"] = AttestationKeys(cloud.root / "attestation")
    found: AttestationKeys = cloud.live["attestation"]
    return found


def _make(folder: Path) -> None:
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    keys = {name: rsa.generate_private_key(65537, 2048) for name in ("root", "intermediate", "leaf", "oidc")}
    root = _certificate(ROOT_NAME, keys["root"], ROOT_NAME, keys["root"], path_length=1)
    middle = _certificate(INTERMEDIATE_NAME, keys["intermediate"], ROOT_NAME, keys["root"], path_length=0)
    leaf = _certificate(LEAF_NAME, keys["leaf"], INTERMEDIATE_NAME, keys["intermediate"], None)
    for name, certificate in (("root", root), ("intermediate", middle), ("leaf", leaf)):
        (draft / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for name in ("leaf", "oidc"):  # the authorities' keys are not kept: nothing more is to be certified
        file = draft / f"{name}.pem"
        file.touch(mode=0o600)
        file.write_bytes(
            keys[name].private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    os.replace(draft, folder)


def _certificate(
    subject: str,
    key: rsa.RSAPrivateKey,
    issuer: str,
    issuer_key: rsa.RSAPrivateKey,
    path_length: int | None,
) -> x509.Certificate:
    authority = path_length is not None
    start = datetime.now(UTC) - timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SIMULATED (local stand-in, not Google)"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _private(file: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - we wrote it
    return key


def _der64(file: Path) -> str:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
