"""Google's APIs as plain JSON over HTTP, for what needs no client library.

- With a local endpoint: no credentials; the stand-in takes the caller for the person at the keyboard.
- Without: application default credentials.
- A path is one of an API: it starts with one slash, has no `.` or `..` segment, no query and no control
  character, so that a name that came from outside cannot lead to another method or host.
- 429 is tried again: nothing was done. 5xx only where repeating is harmless (GET, or the caller says so),
  and 501 never: what an API does not do now it will not do in a minute.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import requests
from sealtrain.rules.settings import Settings

from cli.errors import CloudError, CommandError, PlaceError

Json = dict[str, Any]

TIMEOUT_S = 60.0
_PATH = re.compile(r"/[\w.~%!$&'()*+,;=:@/-]+", re.ASCII)
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 2.0, 2.0, 4.0, 4.0, 8.0)


class Api:
    """One session. `service` in the calls is the host's first word: storage, cloudkms, pubsub, …"""

    def __init__(self, settings: Settings, pause: Callable[[float], None] = time.sleep) -> None:
        self.endpoint, self._pause = settings.endpoint, pause
        self._session, self._sign_in_failed = _session(settings)

    def get(self, service: str, path: str, **params: Any) -> Json:
        """GET. Raises CloudError with the status the API gave."""
        return self.call("GET", service, path, params=params, again=True)

    def post(self, service: str, path: str, body: Json | None = None, **params: Any) -> Json:
        """POST a JSON body."""
        return self.call("POST", service, path, body=body or {}, params=params)

    def find(self, service: str, path: str, **params: Any) -> Json | None:
        """GET, or None for what does not exist."""
        try:
            return self.get(service, path, **params)
        except CloudError as error:
            if error.status == 404:
                return None
            raise

    def pages(self, service: str, path: str, key: str, **params: Any) -> list[Json]:
        """Every entry of a listing, all pages read; `key` is where a page holds its entries."""
        entries: list[Json] = []
        token = ""
        while True:
            page = self.get(service, path, **params, **({"pageToken": token} if token else {}))
            entries += page.get(key, [])
            token = page.get("nextPageToken", "")
            if not token:
                return entries

    def call(
        self,
        verb: str,
        service: str,
        path: str,
        *,
        body: Json | None = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: Json | None = None,
        again: bool = False,
    ) -> Json:
        """One request; the answer's JSON ({} for none). `again`: repeating it is harmless."""
        answer = self.send(
            verb, service, path, body=body, data=data, headers=headers, params=params, again=again
        )
        if answer.status_code >= 400:
            raise refusal(verb, path, answer)
        if not answer.content:
            return {}
        parsed: Json = answer.json()
        return parsed

    def send(
        self,
        verb: str,
        service: str,
        path: str,
        *,
        body: Json | None = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: Json | None = None,
        again: bool = False,
        stream: bool = False,
    ) -> requests.Response:
        """One request, tried again where that is harmless; the raw answer, whatever its status."""
        url = (self.endpoint or f"https://{service}.googleapis.com") + _checked(path)
        for pause_s in (*_PAUSES_S, None):
            try:
                answer = self._session.request(
                    verb,
                    url,
                    json=body,
                    data=data,
                    headers=headers,
                    params=params,
                    timeout=TIMEOUT_S,
                    stream=stream,
                )
            except self._sign_in_failed as error:
                raise no_credentials(f"{type(error).__name__}: {error}") from error
            except requests.RequestException as error:
                if pause_s is None or not again:
                    raise self._unreachable(service, error) from error
            else:
                if pause_s is None or not _passing(answer.status_code, again):
                    return answer
            self._pause(pause_s)
        raise AssertionError("the last try returns or raises")

    def _unreachable(self, service: str, error: Exception) -> PlaceError:
        if self.endpoint:
            return PlaceError(
                "the stand-in does not answer",
                got=f"{type(error).__name__} from {self.endpoint}",
                remedy="start it with `sealtrain up`, or unset SEALTRAIN_ENDPOINT to use Google Cloud",
            )
        return PlaceError(
            f"{service}.googleapis.com cannot be reached",
            got=type(error).__name__,
            remedy="check the network, then `gcloud auth application-default login`",
        )


def _passing(status: int, again: bool) -> bool:
    """Whether the next answer may be another one, and asking for it is harmless."""
    return status == 429 or (again and status >= 500 and status != 501)


def _checked(path: str) -> str:
    """The path, if it is a plain one. Raises CommandError."""
    segments = path.split("/")[1:]
    dots = any(unquote(segment) in (".", "..") for segment in segments)
    if not _PATH.fullmatch(path) or dots or "" in segments:
        raise CommandError(
            "a name cannot be used in a request",
            field="path",
            got=f"{path!a}",
            expected="a resource name without .., ?, # or control characters",
        )
    return path


def _session(settings: Settings) -> tuple[requests.Session, tuple[type[Exception], ...]]:
    """The session, and the errors by which it says that signing in failed."""
    if settings.endpoint:
        session = requests.Session()
        session.trust_env = False  # a proxy or .netrc has no say on the loopback
        return session, ()
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError as error:
        raise no_credentials() from error
    return cast(requests.Session, AuthorizedSession(credentials)), (GoogleAuthError,)  # type: ignore[no-untyped-call]


def no_credentials(got: str | None = None) -> PlaceError:
    """The error for a machine that nobody has signed in on, or where that has run out (`got` says how)."""
    return PlaceError(
        "Google does not accept the credentials of this machine"
        if got
        else "no Google credentials on this machine",
        code="no_credentials",
        got=got,
        remedy="run `gcloud auth application-default login`, or start the stand-in with `sealtrain up`",
    )


def refusal(verb: str, path: str, answer: requests.Response) -> CloudError:
    """The error for an answer of 400 and more, with the words that the API gave."""
    try:
        told = answer.json()["error"]
        message = str(told["message"] if isinstance(told, dict) else told)
    except (ValueError, KeyError, TypeError):
        message = answer.text[:200]
    remedy = {
        401: "sign in: `gcloud auth application-default login`",
        403: "ask the deployment's operator for the right that the message names",
        404: "check the name; `sealtrain runs` lists the runs of this deployment",
    }.get(answer.status_code)
    return CloudError(
        f"{verb} {path.partition('?')[0]}: HTTP {answer.status_code}: {message}",
        status=answer.status_code,
        remedy=remedy,
    )
