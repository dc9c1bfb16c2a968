"""Sends the requests of the table of good ones, and their variations."""

from __future__ import annotations

from typing import Any

import requests

from localcloud.doors.discovery import methods
from tests.localcloud.conftest import World
from tests.localcloud.doors.good_request import Good, filled


class Sender:
    """Sends the table's requests as one caller, remembering what answers tell."""

    def __init__(self, world: World, principal: str, known: dict[str, str] | None = None) -> None:
        self.known = {} if known is None else known
        self._base = world.cloud.endpoint
        token = world.cloud.tokens.access_token(principal)
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def send(self, good: Good, *, extra: str = "", body: Any = None) -> requests.Response:
        """The good request, or the same with more query or another body."""
        path = good.path(self.known)
        verb = _verb(good)
        if extra:
            path += ("&" if "?" in path else "?") + extra
        if good.content is not None:
            return self._session.request(verb, self._base + path, data=good.content, timeout=30)
        sent = filled(good.body if body is None else body, self.known)
        return self._session.request(verb, self._base + path, json=sent, timeout=30)


def _verb(good: Good) -> str:
    return next(methods(good.method)).http
