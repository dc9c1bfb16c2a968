"""Judge an attestation token: genuine, fresh, for us, and as the policy demands.

Rules enforced here, in this order; the first failure of 1 to 6 ends the judgement:
1. size is bounded before anything is parsed; exactly three segments in canonical base64url; strict
   JSON (rules/evidence/strict.py);
2. issuer profile and kind of trust are the caller's, never the token's; the algorithm is one of the
   profile's; `jwk`, `x5u`, `crit` and `b64` are refused, `jku` is refused or, where the issuer always
   writes it, ignored: no key comes out of the message except along the path of rule 3;
3. the key: in PKI form `x5c` is a path leaf, intermediates, PINNED root (certificates.py); in OIDC
   form `kid` names exactly one key of the issuer's set (key_sets.py);
4. the signature verifies under that RSA key of at least 2048 bits;
5. issuer exact; times are whole numbers, within bounded skew and lifetime; audience is exactly our
   one string; the nonce is one whole entry of `eat_nonce`;
6. a token that was accepted before is a replay;
7. every clause of the policy; all failures are told.

Whose word an accepted token is follows from the pinned root or key set and from nothing else.

Not handled here: revocation (the authorities publish lists; nothing is fetched here, and the report
says so).
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sealtrain.rules import canonical
from sealtrain.rules.evidence import certificates, strict
from sealtrain.rules.evidence.findings import Finding, Refused
from sealtrain.rules.evidence.key_sets import KEY_BITS_MIN, KeySet
from sealtrain.rules.evidence.policy import Deployment, Issuer, Policy, Run, check

VERIFIER = "sealtrain.rules.evidence.token 2"
NOTHING_ATTESTED = "nothing was attested"
KEY_FIELDS = ("jwk", "x5u", "crit", "b64")
NONCES_MAX = 6
CERTIFICATES_MAX = 8
GENUINE = "The token is genuine, fresh and meant for this run."


class Expectation(msgspec.Struct, frozen=True):
    """What a token is judged against; all of it comes from us, nothing from the token.

    With `keys` the token has to be in OIDC form, without in PKI form under `root_pem`. `seen` holds
    the digests of tokens that were accepted before.
    """

    root_pem: str
    audience: str
    nonce: str
    at: datetime
    policy: Policy
    allowed: Deployment
    run: Run
    issuer: str = "google"
    keys: KeySet | None = None
    seen: frozenset[str] = frozenset()


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


def judge(token: str, expected: Expectation) -> Judgement:
    """Judge a token; never raises for what the token holds."""
    claims: dict[str, Any] = {}
    root_name = NOTHING_ATTESTED
    digest = canonical.digest(token.encode(errors="surrogatepass"))
    try:
        profile = expected.policy.issuer(expected.issuer)
        root_name = _trust_root(expected)
        claims = _genuine_claims(token, profile, expected)
        _check_addressed(claims, profile, expected)
        if digest in expected.seen:
            raise Refused("replay", "token", "a token that was accepted before", "a new token", GENUINE)
        findings = tuple(check(expected.policy, claims, expected.allowed, expected.run))
    except Refused as refusal:
        findings = (msgspec.structs.replace(refusal.finding, sentence=GENUINE),)
    met = not findings
    if not met and root_name != certificates.SIMULATED:
        root_name = NOTHING_ATTESTED
    return Judgement(
        met=met,
        findings=findings,
        trust_root=root_name,
        token_digest=digest,
        claims=claims,
        policy_version=expected.policy.version,
        policy_digest=expected.policy.digest,
    )


def _trust_root(expected: Expectation) -> str:
    return expected.keys.vouched_by if expected.keys is not None else _pinned(expected.root_pem)[1]


@lru_cache(maxsize=8)
def _pinned(pem: str) -> tuple[x509.Certificate, str]:
    """The pinned root and whose word it is."""
    try:
        root = certificates.load_root(pem)
    except certificates.PathError as error:
        raise Refused("root", "SEALTRAIN_ATTESTATION_ROOT", error.got, error.expected) from error
    return root, certificates.trust_root(root)


def _genuine_claims(token: str, profile: Issuer, expected: Expectation) -> dict[str, Any]:
    strict.bounded(token, expected.policy.token.max_bytes, "token")
    segments = token.split(".")
    if len(segments) != 3:
        raise Refused("malformed", "token", f"{len(segments)} segments", "3 segments")
    header = strict.json_object(strict.base64url(segments[0], "header"), "header")
    strict.base64url(segments[1], "payload")
    strict.base64url(segments[2], "signature")
    algorithm = _checked_algorithm(header, profile)
    key = _leaf_key(header, expected) if expected.keys is None else _listed_key(header, expected.keys)
    try:
        payload = _SIGNATURES.decode(token, key=key, algorithms=[algorithm])
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Refused("signature", "signature", error, "a signature by the issuer's key") from error
    return strict.json_object(payload, "payload")


_SIGNATURES = jwt.PyJWS(algorithms=["RS256", "PS384"])


def _checked_algorithm(header: dict[str, Any], profile: Issuer) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in profile.algorithms:
        raise Refused("alg", "header.alg", algorithm or "nothing", " or ".join(profile.algorithms))
    fields = KEY_FIELDS if profile.writes_jku else (*KEY_FIELDS, "jku")
    for name in fields:
        if name in header:
            raise Refused("key", f"header.{name}", "a field that brings its own key or rule", "no field")
    return algorithm


def _listed_key(header: dict[str, Any], keys: KeySet) -> rsa.RSAPublicKey:
    name = header.get("kid")
    if "x5c" in header or not isinstance(name, str) or name not in keys.keys:
        got = "a certificate path" if "x5c" in header else str(name or "nothing")[:64]
        raise Refused("key", "header.kid", got, "the id of one of the issuer's keys")
    return keys.keys[name]


def _leaf_key(header: dict[str, Any], expected: Expectation) -> rsa.RSAPublicKey:
    texts = header.get("x5c")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused("key", "header.x5c", type(texts).__name__, "a list of certificates")
    try:
        checked, key = _checked_path(tuple(texts[:CERTIFICATES_MAX]), expected.root_pem)
        checked.check_time(expected.at)
    except certificates.PathError as error:
        raise Refused("path", "header.x5c", error.got, error.expected) from error
    except ValueError as error:
        raise Refused("path", "header.x5c", error, "certificates in DER, base64") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise Refused("key", "header.x5c[0]", type(key).__name__, f"an RSA key from {KEY_BITS_MIN} bits on")
    return key


@lru_cache(maxsize=64)
def _checked_path(texts: tuple[str, ...], root_pem: str) -> tuple[certificates.Path, object]:
    """Check all of a path but its times, and give the leaf's key: an issuer shows one path many times."""
    path = [certificates.from_der(strict.base64(text)) for text in texts]
    found = certificates.checked(path, _pinned(root_pem)[0])
    return found, certificates.public_key(found.leaf)


def _check_addressed(claims: dict[str, Any], profile: Issuer, expected: Expectation) -> None:
    if claims.get("iss") != profile.iss:
        raise Refused("issuer", "iss", claims.get("iss", "nothing"), profile.iss)
    _check_times(claims, expected)
    if claims.get("aud") != expected.audience or not expected.audience:
        raise Refused("audience", "aud", claims.get("aud", "nothing"), expected.audience)
    nonces = claims.get("eat_nonce")
    listed = [nonces] if isinstance(nonces, str) else nonces
    if (
        not isinstance(listed, list)
        or len(listed) > NONCES_MAX
        or not all(isinstance(one, str) for one in listed)
        or not expected.nonce
        or expected.nonce not in listed
    ):
        raise Refused(
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
    lifetime = end - min(issued, start)
    if lifetime > rules.max_lifetime_s:
        raise Refused("lifetime", "exp", f"{lifetime} s", f"at most {rules.max_lifetime_s} s")
    if now >= end + rules.max_skew_s:
        raise Refused("expired", "exp", end, f"later than {int(now)}")
    for name, moment in (("nbf", start), ("iat", issued)):
        if moment > now + rules.max_skew_s:
            raise Refused("not_yet_valid", name, moment, f"not later than {int(now)}")


def _whole(claims: dict[str, Any], name: str, missing: str) -> int:
    value = claims.get(name)
    if value is None:
        raise Refused(missing, name, "nothing", "seconds since 1970")
    if type(value) is not int or value < 0:
        raise Refused("malformed", name, repr(value)[:100], "seconds since 1970, a whole number")
    return value
