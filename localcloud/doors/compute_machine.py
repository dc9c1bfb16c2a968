"""What a running machine may ask of the platform below it (`/_machine/…`): tokens of its service account.

A machine proves itself with its hardware's key, so that only the guest that was turned on with it can ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt

from localcloud.doors import Json
from localcloud.doors.compute_life import KIND
from localcloud.doors.errors import ApiError, invalid
from localcloud.identity.service import AccessTokens
from localcloud.server import read_body, special
from localcloud.world.cloud import Cloud

if TYPE_CHECKING:
    from localcloud.server import Environ


@special("/_machine/")
def serve(cloud: Cloud, environ: Environ) -> Json:
    """access-token or id-token."""
    what = environ["PATH_INFO"].removeprefix("/_machine/")
    email = _account(cloud, environ.get("HTTP_AUTHORIZATION", ""), what)
    body = read_body(environ)
    if what == "access-token":
        source = cloud.live.setdefault(f"tokens/{email}", AccessTokens(cloud, email))
        token, seconds = source.current()
        return {"token": token, "seconds": seconds}
    if what == "id-token" and body.get("audience"):
        return {"token": cloud.tokens.id_token(email, body["audience"])}
    raise invalid(f"got {what!r}, expected access-token, or id-token with an audience")


def _account(cloud: Cloud, header: str, what: str) -> str:
    kind, _, proof = header.partition(" ")
    try:
        instance_id = jwt.decode(proof, options={"verify_signature": False})["instance_id"]
        known = cloud.store.get("machine.key", instance_id) if kind == "Machine" else None
        if known is None:
            raise ApiError(401, "unknown machine")
        claims = jwt.decode(proof, known["public_key"], ["ES256"])
    except (jwt.InvalidTokenError, KeyError) as error:
        raise ApiError(401, f"not a machine's proof: {error}") from error
    instance = cloud.store.get(KIND, known["instance"])
    accounts = (instance or {}).get("serviceAccounts", [])
    if instance is None or instance["id"] != instance_id or claims["what"] != what or not accounts:
        raise ApiError(403, "this machine has no service account")
    return str(accounts[0]["email"])
