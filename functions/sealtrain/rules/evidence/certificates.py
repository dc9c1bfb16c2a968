"""Check a certificate path from a leaf to one pinned root, at a time that the caller gives.

Rules enforced here:
- the path holds two to four certificates; its last one is the pinned root, byte for byte, or was
  issued by it;
- each certificate is signed by the next, is valid at the given time, and was signed over SHA-256,
  SHA-384 or SHA-512;
- every authority says so (basic constraints), may sign certificates (key usage), and keeps its
  path length; the leaf is no authority and, if it limits its key's usage, may sign;
- a critical extension that is not understood here is a refusal.

`cryptography`'s own path verifier is not used: it serves TLS peers, wants a host name or a TLS usage
in the leaf, and Google's attestation leaves carry neither.

Not handled here: revocation lists and policies of names.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

Extension = TypeVar("Extension", bound=x509.ExtensionType)

PATH_LIMIT = 4
UNDERSTOOD = frozenset({x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid})
# What the library raises for a certificate that it cannot read, at once or only when a part is asked for.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)

# SHA-256 over the DER form of Google's "Confidential Space Root CA" (2024-01-19 to 2034-01-16).
# Source: the certificate in project-oak/oak, oak_attestation_gcp/testdata/root.crt, whose SHA-1 is
# the B9:51:20:74:2C:24:E3:AA:34:04:2E:1C:3B:A3:AA:D2:8B:21:23:21 that Google's codelab on
# Confidential Space with PKI tokens prints. Whoever is online compares it with
# https://confidentialcomputing.googleapis.com/.well-known/attestation-pki-root.
GOOGLE_ROOTS = frozenset({"148b293821bb0c6a317f413c8ba475814091cb22d49b9e3c94198db8e8f86c39"})
GOOGLE = "Google Confidential Space"
SIMULATED = "SIMULATED"


class PathError(ValueError):
    """Raised when a path does not lead to the pinned root; says got and expected."""

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(f"got {got}, expected {expected}")
        self.got = got
        self.expected = expected


def from_der(data: bytes) -> x509.Certificate:
    """Read a certificate. Raises PathError."""
    try:
        return x509.load_der_x509_certificate(data)
    except UNREADABLE as error:
        raise PathError(f"{len(data)} bytes ({error})", "a certificate in DER") from error


def from_pem(data: bytes) -> list[x509.Certificate]:
    """Read one certificate or more. Raises PathError."""
    try:
        return x509.load_pem_x509_certificates(data)
    except UNREADABLE as error:
        raise PathError(f"{len(data)} bytes ({error})", "certificates in PEM") from error


def public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    """Give a certificate's key. Raises PathError."""
    try:
        return certificate.public_key()
    except UNREADABLE as error:
        raise PathError(f"a key that cannot be read ({error})", "an RSA or P-256 key") from error


def load_root(pem: str) -> x509.Certificate:
    """Read the pinned root. Raises PathError when the text is not one certificate."""
    try:
        found = from_pem(pem.encode(errors="surrogatepass"))
    except PathError as error:
        raise PathError(error.got, "one certificate in PEM as pinned root") from error
    if len(found) != 1:
        raise PathError(f"{len(found)} certificates", "one certificate in PEM as pinned root")
    return found[0]


def fingerprint(certificate: x509.Certificate) -> str:
    """Give SHA-256 over the DER form, in hex."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def trust_root(root: x509.Certificate) -> str:
    """Name whose word a token under this root is: Google's only if its root is pinned above."""
    return GOOGLE if fingerprint(root) in GOOGLE_ROOTS else SIMULATED


@dataclass(frozen=True)
class Path:
    """A path that leads to the root whatever the time; `whole` runs from leaf to root."""

    whole: tuple[x509.Certificate, ...]
    times: tuple[tuple[datetime, datetime], ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that signs."""
        return self.whole[0]

    def check_time(self, at: datetime) -> None:
        """Raise PathError unless every certificate is valid at this time."""
        for certificate, (start, end) in zip(self.whole, self.times, strict=True):
            if not start <= at <= end:
                raise PathError(
                    f"{at.isoformat()} for {_name(certificate)}",
                    f"a time from {start.isoformat()} to {end.isoformat()}",
                )


def check_path(path: Sequence[x509.Certificate], root: x509.Certificate, at: datetime) -> x509.Certificate:
    """Give the leaf of a path that leads to the root at this time; else raise PathError."""
    found = checked(path, root)
    found.check_time(at)
    return found.leaf


def checked(path: Sequence[x509.Certificate], root: x509.Certificate) -> Path:
    """Check all of a path but its times; else raise PathError."""
    if not 2 <= len(path) <= PATH_LIMIT:
        raise PathError(f"{len(path)} certificates", f"2 to {PATH_LIMIT}: leaf … root")
    whole = tuple(path) if path[-1] == root else (*path, root)
    try:
        for depth, certificate in enumerate(whole):
            _check_extensions(certificate)
            if depth:
                _check_authority(certificate, below=depth - 1)
            _check_issued(certificate, whole[min(depth + 1, len(whole) - 1)])
        _check_leaf(whole[0])
        times = tuple((one.not_valid_before_utc, one.not_valid_after_utc) for one in whole)
    except PathError:
        raise
    except UNREADABLE as error:
        # The library reads a certificate piece by piece: what is odd in it shows only when it is asked for.
        raise PathError(f"a certificate that cannot be read ({error})", "RFC 5280") from error
    return Path(whole, times)


def check_links(path: Sequence[x509.Certificate], root: x509.Certificate) -> None:
    """Check only that each certificate is issued by the next and the last is the root; else PathError."""
    if not path or path[-1] != root:
        raise PathError("another last certificate", "the pinned root")
    for certificate, issuer in zip(path, [*path[1:], root], strict=True):
        try:
            _check_issued(certificate, issuer)
        except UNREADABLE as error:
            raise PathError(f"a certificate that cannot be read ({error})", "RFC 5280") from error


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:120]


def _check_extensions(certificate: x509.Certificate) -> None:
    try:
        extensions = list(certificate.extensions)
    except (ValueError, x509.DuplicateExtension) as error:
        raise PathError(f"unreadable extensions in {_name(certificate)}", "RFC 5280") from error
    for extension in extensions:
        if extension.critical and extension.oid not in UNDERSTOOD:
            raise PathError(
                f"critical extension {extension.oid.dotted_string} in {_name(certificate)}",
                "no critical extension but basic constraints and key usage",
            )


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    if not isinstance(certificate.signature_hash_algorithm, DIGESTS):
        raise PathError(f"another digest in {_name(certificate)}", "SHA-256, SHA-384 or SHA-512")
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE) as error:
        raise PathError(
            f"{_name(certificate)}, not issued by {_name(issuer)} ({error})",
            "each certificate issued by the next one up to the pinned root",
        ) from error


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        raise PathError(f"{_name(certificate)}, which is no authority", "basic constraints CA")
    if constraints.path_length is not None and below > constraints.path_length:
        raise PathError(
            f"{below} authorities under {_name(certificate)}", f"at most {constraints.path_length}"
        )
    if usage is None or not usage.key_cert_sign:
        raise PathError(f"{_name(certificate)}, which may not sign certificates", "keyCertSign")


def _check_leaf(certificate: x509.Certificate) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if constraints is not None and constraints.ca:
        raise PathError(f"{_name(certificate)}, an authority, as leaf", "a leaf that is none")
    if usage is not None and not usage.digital_signature:
        raise PathError(f"{_name(certificate)}, which may not sign", "digitalSignature")


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
