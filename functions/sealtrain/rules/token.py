"""Judge a Google attestation token in PKI form: genuine, fresh, for us, and as the policy demands.

Rules enforced here, in this order; the first failure of 1 to 5 ends the judgement:
1. size is bounded before anything is parsed; exactly three segments in canonical base64url; strict
   JSON (no duplicate keys, no NaN, no lone surrogates);
2. the algorithm is RS256 whatever the header says; `jku`, `jwk`, `x5u` and `crit` are refused: no
   key comes out of the message except along the path of rule 3;
3. `x5c` is a path leaf, intermediates, PINNED root (rules/certificates.py);
4. the signature verifies under the leaf's RSA key of at least 2048 bits;
5. issuer exact; times are whole numbers, within bounded skew and lifetime; audience is exactly our
   one string; the nonce is one whole entry of `eat_nonce`;
6. every clause of the policy; all failures are told.

Whose word an accepted token is follows from the pinned root certificate and from nothing else.

Not handled here: revocation (the authorities publish lists; nothing is fetched here, and the report
says so), and single use: the nonce binds order and signing key, so a token of another run fails.
"""

import binascii
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sealtrain.rules import canonical, certificates
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.policy import Deployment, Finding, Policy, Run, check

VERIFIER = "sealtrain.rules.token 1"
ALGORITHM = "RS256"
KEY_BITS_MIN = 2048
NOTHING_ATTESTED = "nothing was attested"
KEY_FIELDS = ("jku", "jwk", "x5u", "crit")
NONCES_MAX = 6
GENUINE = "The token is genuine, fresh and meant for this run."


class Expectation(msgspec.Struct, frozen=True):
    """What a token is judged against; all of it comes from us, nothing from the token."""

    root_pem: str
    audience: str
    nonce: str
    at: datetime
    policy: Policy
    allowed: Deployment
    run: Run


class Judgement(msgspec.Struct, frozen=True):
    """Whether a token is met, why not, and by which verifier and policy this was found."""

    met: bool
    findings: tuple[Finding, ...]
    trust_root: str
    token_digest: str
    claims: dict[str, Any]
    policy_version: str
    policy_digest: str
    verifier: str = VERIFIER


class _RefusedError(Exception):
    def __init__(self, reason: str, field: str, got: object, expected: object) -> None:
        super().__init__(reason)
        self.finding = Finding(
            reason=reason,
            field=field,
            got=str(got)[:200],
            expected=str(expected)[:200],
            sentence=GENUINE,
        )


def judge(token: str, expected: Expectation) -> Judgement:
    """Judge a token; never raises for what the token holds."""
    claims: dict[str, Any] = {}
    root_name = NOTHING_ATTESTED
    try:
        root = _pinned_root(expected.root_pem)
        root_name = certificates.trust_root(root)
        claims = _genuine_claims(token, root, expected)
        _check_addressed(claims, expected)
        findings = tuple(check(expected.policy, claims, expected.allowed, expected.run))
    except _RefusedError as refusal:
        findings = (refusal.finding,)
    met = not findings
    if not met and root_name != certificates.SIMULATED:
        root_name = NOTHING_ATTESTED
    return Judgement(
        met=met,
        findings=findings,
        trust_root=root_name,
        token_digest=canonical.digest(token.encode(errors="surrogatepass")),
        claims=claims,
        policy_version=expected.policy.version,
        policy_digest=expected.policy.digest,
    )


def _pinned_root(pem: str) -> x509.Certificate:
    try:
        return certificates.load_root(pem)
    except certificates.PathError as error:
        raise _RefusedError("root", "SEALTRAIN_ATTESTATION_ROOT", error.got, error.expected) from error


def _genuine_claims(token: str, root: x509.Certificate, expected: Expectation) -> dict[str, Any]:
    limit = expected.policy.token.max_bytes
    if len(token) > limit:
        raise _RefusedError("too_large", "token", f"{len(token)} characters", f"at most {limit}")
    segments = token.split(".")
    if len(segments) != 3:
        raise _RefusedError("malformed", "token", f"{len(segments)} segments", "3 segments")
    header = _strict_object(_decoded(segments[0], "header"), "header")
    _check_header(header)
    leaf_key = _leaf_key(header, root, expected.at)
    _decoded(segments[2], "signature")
    try:
        payload = jwt.PyJWS(algorithms=[ALGORITHM]).decode(token, key=leaf_key, algorithms=[ALGORITHM])
    except jwt.InvalidTokenError as error:
        raise _RefusedError("signature", "signature", error, "a signature by the leaf's key") from error
    _decoded(segments[1], "payload")
    return _strict_object(payload, "payload")


def _check_header(header: dict[str, Any]) -> None:
    if header.get("alg") != ALGORITHM:
        raise _RefusedError("alg", "header.alg", header.get("alg", "nothing"), ALGORITHM)
    for name in KEY_FIELDS:
        if name in header:
            raise _RefusedError("key", f"header.{name}", "a field that brings its own key", "no field")


def _leaf_key(header: dict[str, Any], root: x509.Certificate, at: datetime) -> rsa.RSAPublicKey:
    texts = header.get("x5c")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _RefusedError("key", "header.x5c", type(texts).__name__, "a list of certificates")
    try:
        path = [x509.load_der_x509_certificate(_standard(text)) for text in texts[:8]]
        leaf = certificates.check_path(path, root, at)
        key = leaf.public_key()
    except certificates.PathError as error:
        raise _RefusedError("path", "header.x5c", error.got, error.expected) from error
    except (ValueError, x509.InvalidVersion) as error:
        raise _RefusedError("path", "header.x5c", error, "certificates in DER, base64") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise _RefusedError(
            "key", "header.x5c[0]", type(key).__name__, f"an RSA key from {KEY_BITS_MIN} bits on"
        )
    return key


def _check_addressed(claims: dict[str, Any], expected: Expectation) -> None:
    if claims.get("iss") != expected.policy.token.issuer:
        raise _RefusedError("issuer", "iss", claims.get("iss", "nothing"), expected.policy.token.issuer)
    _check_times(claims, expected)
    if claims.get("aud") != expected.audience or not expected.audience:
        raise _RefusedError("audience", "aud", claims.get("aud", "nothing"), expected.audience)
    nonces = claims.get("eat_nonce")
    listed = [nonces] if isinstance(nonces, str) else nonces
    if not isinstance(listed, list) or len(listed) > NONCES_MAX or expected.nonce not in listed:
        raise _RefusedError(
            "nonce",
            "eat_nonce",
            "nothing" if nonces is None else "other nonces",  # a nonce stands in no report
            "the hash of this run's order and signing key",
        )


def _check_times(claims: dict[str, Any], expected: Expectation) -> None:
    rules, now = expected.policy.token, expected.at.timestamp()
    issued = _whole(claims, "iat", "not_yet_valid")
    start = _whole(claims, "nbf", "not_yet_valid")
    end = _whole(claims, "exp", "expired")
    if end - min(issued, start) > rules.max_lifetime_s:
        raise _RefusedError(
            "lifetime", "exp", f"{end - min(issued, start)} s", f"at most {rules.max_lifetime_s} s"
        )
    if now >= end + rules.max_skew_s:
        raise _RefusedError("expired", "exp", end, f"later than {int(now)}")
    for name, moment in (("nbf", start), ("iat", issued)):
        if moment > now + rules.max_skew_s:
            raise _RefusedError("not_yet_valid", name, moment, f"not later than {int(now)}")


def _whole(claims: dict[str, Any], name: str, missing: str) -> int:
    value = claims.get(name)
    if value is None:
        raise _RefusedError(missing, name, "nothing", "seconds since 1970")
    if type(value) is not int or value < 0:
        raise _RefusedError("malformed", name, repr(value), "seconds since 1970, a whole number")
    return value


def _strict_object(data: bytes, field: str) -> dict[str, Any]:
    try:
        value = canonical.loads(data)
        canonical.dumps(value)  # a lone surrogate shows itself here
    except (InvalidRequestError, ValueError, RecursionError) as error:
        raise _RefusedError("malformed", field, error, "one strict JSON object") from error
    if not isinstance(value, dict):
        raise _RefusedError("malformed", field, type(value).__name__, "one strict JSON object")
    return value


def _decoded(segment: str, field: str) -> bytes:
    try:
        data = urlsafe_b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise _RefusedError("malformed", field, error, "base64url without padding") from error
    if urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise _RefusedError("malformed", field, "another spelling", "canonical base64url")
    return data


def _standard(text: str) -> bytes:
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text:
        raise ValueError("base64 in another spelling than the canonical one")
    return data
