"""The identity that a metadata server tells for a service account: tokens come straight from the stand-in."""

from __future__ import annotations

import threading

from localcloud.identity.metadata import Identity
from localcloud.identity.tokens import LIFETIME_S
from localcloud.world.cloud import Cloud

_RENEW_BEFORE_S = 300


class AccessTokens:
    """One account's access token, given again until shortly before it expires."""

    def __init__(self, cloud: Cloud, email: str) -> None:
        self._cloud, self._principal = cloud, f"serviceAccount:{email}"
        self._token, self._expires = "", 0.0
        self._lock = threading.Lock()

    def current(self) -> tuple[str, int]:
        """(token, seconds it still lives)."""
        with self._lock:
            now = self._cloud.clock.now()
            if self._expires - now < _RENEW_BEFORE_S or self._cloud.tokens.caller(self._token) is None:
                self._token = self._cloud.tokens.access_token(self._principal)
                self._expires = now + LIFETIME_S
            return self._token, int(self._expires - now)


def service_identity(cloud: Cloud, email: str) -> Identity:
    """What a function with the service account `email` may learn."""
    return Identity(
        email=email,
        project=cloud.project,
        number=cloud.number,
        region=cloud.region,
        access_token=AccessTokens(cloud, email).current,
        id_token=lambda audience: cloud.tokens.id_token(email, audience),
    )
