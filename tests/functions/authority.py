"""A certificate authority and token issuer for tests: it signs for real, under a root of its own.

The certificates are shaped like those of Google's attestation service: an authority whose
intermediate limits its usage, and a leaf without key usage or alternative names.
"""

import base64
import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from sealtrain.rules.evidence import policy, token
from sealtrain.rules.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
IMAGE = "sha256:" + "ab" * 32
INSTANCE_ID = "4242424242424242424"
AUDIENCE = "sealtrain-evidence"
GPU = {
    "cc_mode": "ON",
    "cc_feature": "SPT",
    "gpus": [{"hwmodel": "GCP_NVIDIA_H100", "driver_version": "580", "ueid": "1"}],
}
ACCOUNT = "sealtrain-workload@demo-project.iam.gserviceaccount.com"


def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Give a key for a name; the same one every time within a test session."""
    return _generated(name, bits)


@lru_cache(maxsize=16)
def _generated(name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def certificate(
    subject: str,
    issuer: str,
    *,
    ca: bool = False,
    path_length: int | None = None,
    sign_certificates: bool | None = None,
    bits: int = 2048,
    start: datetime = NOW - timedelta(days=30),
    end: datetime = NOW + timedelta(days=30),
    issuer_key: rsa.RSAPrivateKey | None = None,
    critical_unknown: bool = False,
) -> x509.Certificate:
    """Make a certificate for `subject`, signed by the key of `issuer`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(rsa_key(subject, bits).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big"))
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    if sign_certificates is None:
        sign_certificates = ca
    if ca:
        builder = builder.add_extension(_usage(sign_certificates), critical=True)
    if critical_unknown:
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(odd, critical=True)
    return builder.sign(issuer_key or rsa_key(issuer), hashes.SHA256())


def _usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


@lru_cache(maxsize=1)
def good_path() -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    """Give leaf, intermediate and root of the authority that tests trust."""
    return (
        certificate("leaf", "intermediate"),
        certificate("intermediate", "root", ca=True),
        certificate("root", "root", ca=True),
    )


def pem(one: x509.Certificate) -> str:
    """Give a certificate in PEM."""
    return one.public_bytes(serialization.Encoding.PEM).decode()


def root_pem() -> str:
    """Give the root that tests pin."""
    return pem(good_path()[2])


@lru_cache(maxsize=4)
def workload_key(name: str = "workload") -> ec.EllipticCurvePrivateKey:
    """Give the signing key of a workload."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Give a public key in PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def ec_signer(key: ec.EllipticCurvePrivateKey) -> Any:
    """Give a function that signs bytes with ECDSA over SHA-256, in DER."""
    return lambda data: key.sign(data, ec.ECDSA(hashes.SHA256()))


def claims(nonce: str = "nonce-of-this-run-0001", **changes: Any) -> dict[str, Any]:
    """Give the claims of a good token; `changes` replace values by dotted path ('a.b' as a__b)."""
    issued = int(NOW.timestamp()) - 30
    good: dict[str, Any] = {
        "aud": AUDIENCE,
        "exp": issued + 3600,
        "iat": issued,
        "nbf": issued,
        "iss": "https://confidentialcomputing.googleapis.com",
        "sub": "https://www.googleapis.com/compute/v1/projects/demo-project/zones/us-central1-a/"
        "instances/sealtrain-r0123456789ab",
        "eat_nonce": [nonce],
        "secboot": True,
        "oemid": 11129,
        "hwmodel": "GCP_AMD_SEV",
        "swname": "CONFIDENTIAL_SPACE",
        "swversion": ["260800"],
        "dbgstat": "disabled-since-boot",
        "google_service_accounts": [ACCOUNT],
        "submods": {
            "confidential_space": {"support_attributes": ["LATEST", "STABLE", "USABLE"]},
            "container": {
                "image_reference": f"us-central1-docker.pkg.dev/demo-project/trainers/t@{IMAGE}",
                "image_digest": IMAGE,
                "image_id": "sha256:" + "cd" * 32,
                "restart_policy": "Never",
                "args": ["python3", "-m", "workload"],
                "env": {},
                "env_override": None,
                "cmd_override": ["--order"],
            },
            "gce": {
                "project_id": "demo-project",
                "project_number": "100000000001",
                "zone": "us-central1-a",
                "instance_id": INSTANCE_ID,
                "instance_name": "sealtrain-r0123456789ab",
            },
        },
    }
    for path, value in changes.items():
        _put(good, path.split("__"), value)
    return good


REMOVED = object()


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        target = target.setdefault(key, {})
    if value is REMOVED:
        del target[path[-1]]
    else:
        target[path[-1]] = copy.deepcopy(value)


def segment(data: bytes) -> str:
    """Give bytes as a token's segment."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def x5c(path: tuple[x509.Certificate, ...]) -> list[str]:
    """Give a path as a token's header carries it."""
    return [base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in path]


def issue(
    body: dict[str, Any] | bytes,
    *,
    path: tuple[x509.Certificate, ...] | None = None,
    header: dict[str, Any] | None = None,
    key: rsa.RSAPrivateKey | None = None,
) -> str:
    """Sign a token over claims (or over raw payload bytes) with the leaf's key."""
    head = {"alg": "RS256", "typ": "JWT", "x5c": x5c(path or good_path()), **(header or {})}
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = f"{segment(json.dumps(head).encode())}.{segment(payload)}"
    signature = (key or rsa_key("leaf")).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{segment(signature)}"


def settings(**changes: Any) -> Settings:
    """Give the settings that the good token satisfies."""
    values: dict[str, Any] = {
        "project": "demo-project",
        "project_number": "100000000001",
        "region": "us-central1",
        "approved_images": (IMAGE,),
        "attestation_root": root_pem(),
        **changes,
    }
    return Settings(**values)


def run_facts(**changes: Any) -> policy.Run:
    """Give the facts of the run that the good token belongs to."""
    values: dict[str, Any] = {
        "image_digest": IMAGE,
        "instance_id": INSTANCE_ID,
        "instance_name": "sealtrain-r0123456789ab",
        "zone": "us-central1-a",
        "hwmodel": "GCP_AMD_SEV",
        "gpu": False,
        **changes,
    }
    return policy.Run(**values)


def expectation(**changes: Any) -> token.Expectation:
    """Give what the good token is judged against."""
    values: dict[str, Any] = {
        "root_pem": root_pem(),
        "audience": AUDIENCE,
        "nonce": "nonce-of-this-run-0001",
        "at": NOW,
        "policy": policy.load(),
        "allowed": policy.deployment(settings()),
        "run": run_facts(),
        **changes,
    }
    return token.Expectation(**values)
