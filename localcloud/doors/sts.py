"""Security Token Service: an attestation token in exchange for an access token.

- Signature (by the stand-in's own attestation service, the only issuer whose keys are known here), issuer,
  audience and expiry are checked; then the provider's mapping and condition are evaluated for real.
- Form bodies with snake_case names and JSON bodies with camelCase names are both accepted, as on Google.
- Errors have OAuth's shape, not Google's: {"error", "error_description"}.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jwt

from localcloud.doors import Answer, Json
from localcloud.doors.attestation_keys import attestation_keys
from localcloud.doors.errors import ApiError
from localcloud.doors.iam_pools import POOL, PROVIDER, numbered
from localcloud.doors.payload import parse_json
from localcloud.doors.schema import check_body
from localcloud.identity.federation import FederationError, members
from localcloud.server import special
from localcloud.world.cloud import Cloud

if TYPE_CHECKING:
    from localcloud.server import Environ

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_SUBJECT_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
_PREFIX = "//iam.googleapis.com/"
_LIFETIME_S = 3600


class _RefusalError(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@special("/v1/token")
def token(cloud: Cloud, environ: Environ) -> Answer | Json | None:
    """sts.token"""
    if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] != "/v1/token":
        return None
    noted = cloud.calls.begin(cloud.clock.timestamp(), "sts.token", "/v1/token", "")
    fault = cloud.faults.take("sts.token", {})
    if fault is not None:
        noted.status = fault.answer if isinstance(fault.answer, int) else 503
        raise ApiError(noted.status, "planted")
    try:
        answer, noted.caller = _exchange(cloud, _request(environ))
        noted.status = 200
    except _RefusalError as refusal:
        noted.status = refusal.status
        body = {"error": refusal.error, "error_description": refusal.description}
        return Answer(refusal.status, content=json.dumps(body).encode())
    return answer


def _request(environ: Environ) -> Json:
    raw = environ["wsgi.input"].read()
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        pairs = parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)
        body: Any = {_camel(key): value for key, value in pairs}
    else:
        try:
            body = parse_json(raw)
        except ApiError as error:
            raise _RefusalError("invalid_request", "Malformed request body.") from error
    try:
        checked: Json = check_body("sts", "GoogleIdentityStsV1ExchangeTokenRequest", body)
    except ApiError as error:
        raise _RefusalError("invalid_request", error.message) from error
    return checked


def _exchange(cloud: Cloud, request: Json) -> tuple[Json, str]:
    if request.get("grantType") != _GRANT:
        raise _RefusalError("unsupported_grant_type", f"grant_type must be {_GRANT}.")
    if request.get("requestedTokenType") != _ACCESS:
        raise _RefusalError("invalid_request", f"requested_token_type must be {_ACCESS}.")
    if request.get("subjectTokenType") not in _SUBJECT_TYPES:
        raise _RefusalError("invalid_request", "Invalid value for subject_token_type.")
    audience = request.get("audience", "")
    provider = _provider(cloud, audience)
    claims = _claims(cloud, provider, request.get("subjectToken", ""), audience)
    pool = provider["name"].partition("/providers/")[0]
    try:
        principal, sets = members(
            pool, provider["attributeMapping"], provider.get("attributeCondition", ""), claims
        )
    except FederationError as error:
        raise _RefusalError("unauthorized_client", str(error)) from error
    answer = {
        "access_token": cloud.tokens.access_token(principal, sets, _LIFETIME_S),
        "issued_token_type": _ACCESS,
        "token_type": "Bearer",
        "expires_in": _LIFETIME_S,
    }
    return answer, principal


def _provider(cloud: Cloud, audience: str) -> Json:
    name = numbered(cloud, audience.removeprefix(_PREFIX))
    provider = cloud.store.get(PROVIDER, name) if audience.startswith(_PREFIX) else None
    pool = cloud.store.get(POOL, name.partition("/providers/")[0])
    if provider is None or pool is None or provider.get("disabled") or pool.get("disabled"):
        raise _RefusalError(
            "invalid_target",
            'The target service indicated by the "audience" parameters is invalid. This might '
            "either be because the pool or provider is disabled or deleted or because it doesn't exist.",
        )
    return provider


def _claims(cloud: Cloud, provider: Json, subject: str, audience: str) -> Json:
    try:
        claims = attestation_keys(cloud).verify_oidc(subject)
    except jwt.InvalidTokenError as error:
        raise _RefusalError("invalid_grant", f"The given ID token cannot be verified: {error}.") from error
    issuer = provider["oidc"]["issuerUri"]
    if str(claims["iss"]).rstrip("/") != issuer.rstrip("/"):
        raise _RefusalError(
            "invalid_grant",
            f"The issuer in ID Token {claims['iss']} does not match the expected ones: {issuer}.",
        )
    allowed = provider["oidc"].get("allowedAudiences") or [audience, "https:" + audience]
    if claims["aud"] not in allowed:
        raise _RefusalError(
            "invalid_grant",
            f"The audience in ID Token [{claims['aud']}] does not match the expected audience.",
        )
    if claims["exp"] <= cloud.clock.now():
        raise _RefusalError("invalid_grant", f"ID Token issued at {claims['iat']} is stale to sign-in.")
    return claims


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)
