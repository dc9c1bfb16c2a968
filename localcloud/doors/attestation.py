"""Confidential Computing: challenges, and tokens for what they prove.

- A challenge is used once and lives ten minutes.
- The token is really signed (OIDC key, or the SIMULATED certificate chain) over really checked facts.
- Both calls leave an Admin Activity audit entry, as on Google.
"""

from __future__ import annotations

import secrets
import uuid

import jwt

from localcloud.doors import Call, Json, door
from localcloud.doors.attestation_claims import claims_of
from localcloud.doors.attestation_evidence import examine
from localcloud.doors.attestation_keys import attestation_keys
from localcloud.doors.errors import failed_precondition, invalid, not_found
from localcloud.machine.catalog import find_image
from localcloud.world.cloud import Cloud
from localcloud.world.events import deliver_log

KIND = "confidentialcomputing.challenge"
_LIVES_S = 600
_API = "confidentialcomputing.projects.locations.challenges."
_SERVICE = "google.cloud.confidentialcomputing.v1.ConfidentialComputing."
_MAX_NONCES, _NONCE_BYTES = 6, range(10, 75)


@door(_API + "create", "confidentialcomputing.challenges.create")
def create(cloud: Cloud, call: Call) -> Json:
    """A new challenge."""
    now = cloud.clock.now()
    name = f"{call.params['parent']}/challenges/{uuid.uuid4()}"
    challenge = {
        "name": name,
        "createTime": cloud.clock.timestamp(now),
        "expireTime": cloud.clock.timestamp(now + _LIVES_S),
        "tpmNonce": secrets.token_urlsafe(32),
    }
    cloud.store.put(KIND, name, {**challenge, "_expires": now + _LIVES_S})
    _audit(cloud, call, "CreateChallenge", call.params["parent"])
    return challenge


@door(
    _API + "verifyAttestation",
    "confidentialcomputing.challenges.verify",
    lambda _, call: call.params["challenge"],
)
def verify(cloud: Cloud, call: Call) -> Json:
    """A token for genuine evidence over an unused challenge."""
    name = call.params["challenge"]
    challenge = cloud.store.get(KIND, name)
    if challenge is None or challenge["_expires"] <= cloud.clock.now():
        raise not_found(f"Challenge {name}")
    if challenge.get("used"):
        raise failed_precondition(f"Challenge {name} has already been used.")
    options = call.body.get("tokenOptions") or {}
    nonces = _nonces(options)
    instance_name, instance, events = examine(cloud, call.body, challenge["tpmNonce"])
    image = find_image(instance["_image"])
    if image is None or not image.confidential_space:
        raise invalid("Failed to verify attestation: the machine did not boot a Confidential Space image.")
    accounts = _accounts(cloud, call, name)
    claims = claims_of(cloud, instance_name, instance, image, events, accounts)
    claims["aud"] = options.get("audience") or "https://sts.googleapis.com"
    if nonces:
        claims["eat_nonce"] = nonces[0] if len(nonces) == 1 else nonces
    keys = attestation_keys(cloud)
    pki = options.get("tokenType") == "TOKEN_TYPE_PKI"
    cloud.store.put(KIND, name, {**challenge, "used": True})
    _audit(cloud, call, "VerifyAttestation", name)
    return {"oidcClaimsToken": keys.sign_pki(claims) if pki else keys.sign_oidc(claims)}


def _nonces(options: Json) -> list[str]:
    nonces: list[str] = options.get("nonce") or []
    if nonces and not options.get("audience"):
        raise invalid("tokenOptions.audience: required when nonces are given")
    if len(nonces) > _MAX_NONCES:
        raise invalid(f"tokenOptions.nonce: got {len(nonces)}, at most {_MAX_NONCES} are allowed")
    for nonce in nonces:
        if len(nonce.encode()) not in _NONCE_BYTES:
            raise invalid(f"tokenOptions.nonce: got {len(nonce.encode())} bytes, expected 10 to 74")
    if options.get("tokenType") in ("TOKEN_TYPE_LIMITED_AWS", "TOKEN_TYPE_AWS_PRINCIPALTAGS"):
        raise invalid(f"tokenOptions.tokenType: {options['tokenType']} is not imitated")
    return nonces


def _accounts(cloud: Cloud, call: Call, challenge: str) -> list[str]:
    """The service accounts that the machine shows to hold: identity tokens for this very challenge."""
    emails = []
    for token in (call.body.get("gcpCredentials") or {}).get("serviceAccountIdTokens", []):
        try:
            emails.append(cloud.tokens.verify_id_token(token, challenge)["email"])
        except jwt.InvalidTokenError as error:
            raise invalid(f"gcpCredentials.serviceAccountIdTokens: {error}") from error
    return emails


def _audit(cloud: Cloud, call: Call, method: str, resource: str) -> None:
    now = cloud.clock.timestamp()
    service = "confidentialcomputing.googleapis.com"
    labels = {"project_id": cloud.project, "service": service, "method": _SERVICE + method}
    entry = {
        "logName": f"projects/{cloud.project}/logs/cloudaudit.googleapis.com%2Factivity",
        "insertId": secrets.token_hex(8),
        "timestamp": now,
        "severity": "NOTICE",
        "resource": {"type": "audited_resource", "labels": labels},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": service,
            "methodName": _SERVICE + method,
            "resourceName": resource,
            "authenticationInfo": {"principalEmail": call.caller.email},
            "status": {},
        },
    }
    deliver_log(cloud, entry)
