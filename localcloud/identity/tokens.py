"""Tokens of the stand-in: opaque access tokens and signed identity tokens.

- An access token stands for a caller: a principal and, for federated callers, its principal sets.
- An identity token (OIDC) is an RS256 JWT for one audience, signed by the stand-in's own key.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.world.clock import Clock
from localcloud.world.store import Store

ISSUER = "https://accounts.google.com"
LIFETIME_S = 3600


@dataclass(frozen=True)
class Caller:
    """`principal` is one IAM member ("serviceAccount:…", "user:…"); `members` are all that fit."""

    principal: str
    members: frozenset[str]

    @property
    def email(self) -> str:
        """The address behind the principal, "" for federated ones."""
        kind, _, rest = self.principal.partition(":")
        return rest if kind in ("serviceAccount", "user") else ""


KEYBOARD = Caller("user:you@localhost", frozenset({"user:you@localhost", "allUsers"}))


class Tokens:
    """Issues and recognises tokens; what it issued is on disk, so a restart keeps callers signed in."""

    def __init__(self, store: Store, clock: Clock, key_file: Path) -> None:
        self._store, self._clock = store, clock
        self._key = _load_or_make(key_file)

    def access_token(
        self, principal: str, members: list[str] | None = None, lifetime_s: int = LIFETIME_S
    ) -> str:
        """A new opaque token for `principal`."""
        token = "ya29.local-" + secrets.token_urlsafe(32)
        body = {
            "principal": principal,
            "members": [principal, *(members or [])],
            "expires": self._clock.now() + lifetime_s,
        }
        self._store.put("token", token, body)
        return token

    def caller(self, token: str) -> Caller | None:
        """Who holds this access token; None if unknown or expired."""
        body = self._store.get("token", token)
        if body is None or body["expires"] <= self._clock.now():
            return None
        members = frozenset([*body["members"], "allUsers", "allAuthenticatedUsers"])
        return Caller(body["principal"], members)

    def id_token(self, email: str, audience: str) -> str:
        """An OIDC identity token of `email` for `audience`."""
        now = int(self._clock.now())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "azp": email,
            "sub": email,
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + LIFETIME_S,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "local-1"})

    def verify_id_token(self, token: str, audience: str) -> dict[str, Any]:
        """Claims of a genuine, current token for `audience`. Raises jwt.InvalidTokenError."""
        options: Any = {"verify_exp": False, "verify_iat": False}
        claims: dict[str, Any] = jwt.decode(
            token, self._key.public_key(), ["RS256"], audience=audience, issuer=ISSUER, options=options
        )
        if claims["exp"] <= self._clock.now():
            raise jwt.ExpiredSignatureError("Signature has expired")
        return claims


def _load_or_make(file: Path) -> rsa.RSAPrivateKey:
    if file.exists():
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - we wrote it
        return key
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.touch(mode=0o600)
    file.write_bytes(pem)
    return key
