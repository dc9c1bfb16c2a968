"""The platform's front door: `/NAME…` calls the function NAME.

- The caller needs a genuine, current identity token whose audience is the function's URL, and the invoker
  role on the function (or on the service behind it). No token at all is the person at the keyboard.
- As on Cloud Run, the function sees the token without its signature.
- A function that does not answer within its timeout gives 504; one whose process dies gives 503.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from localcloud.doors import Answer, Json
from localcloud.doors.functions import KIND
from localcloud.doors.functions_process import StartError, instances
from localcloud.identity.tokens import KEYBOARD, Caller
from localcloud.world.cloud import Cloud

if TYPE_CHECKING:
    from localcloud.server import Environ, StartResponse, Wsgi

INVOKE = "run.routes.invoke"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "host"}
_STRIPPED = "SIGNATURE_REMOVED_BY_GOOGLE"


def app(cloud: Cloud) -> Wsgi:
    """The WSGI application on the front door's port."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = _answer(cloud, environ)
        content = found.content if isinstance(found.content, bytes) else b"".join(found.content)
        headers = {**found.headers, "Content-Length": str(len(content))}
        start_response(f"{found.status} ", list(headers.items()))
        return [content]

    return answer


def _answer(cloud: Cloud, environ: Environ) -> Answer:
    path, _, query = str(environ["REQUEST_URI"]).partition("?")
    short, _, rest = path.lstrip("/").partition("/")
    name = f"projects/{cloud.project}/locations/{cloud.region}/functions/{short}"
    function = cloud.store.get(KIND, name)
    if function is None:
        return _page(404, "Page not found")
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    caller = _caller(cloud, authorization, function)
    principal = caller.principal if caller else ""
    noted = cloud.calls.begin(cloud.clock.timestamp(), "cloudfunctions.invoke", path, principal)
    if caller is None:
        found = _page(401, "The access token could not be verified")
    elif not _may_invoke(cloud, caller, name):
        found = _page(403, "Your client does not have permission to get URL " + path)
    else:
        request = _Request(
            environ["REQUEST_METHOD"],
            "/" + rest + (f"?{query}" if query else ""),
            environ["wsgi.input"].read(),
            _forwarded(environ, authorization),
        )
        with cloud.clock.working():
            found = _call(cloud, function, request)
    noted.status = found.status
    return found


def _caller(cloud: Cloud, authorization: str, function: Json) -> Caller | None:
    if not authorization:
        return KEYBOARD
    kind, _, token = authorization.partition(" ")
    try:
        claims = cloud.tokens.verify_id_token(token.strip(), function["url"])
    except jwt.InvalidTokenError:
        return None
    if kind.lower() != "bearer":
        return None
    principal = f"serviceAccount:{claims['email']}"
    return Caller(principal, frozenset({principal, "allUsers", "allAuthenticatedUsers"}))


def _may_invoke(cloud: Cloud, caller: Caller, name: str) -> bool:
    service = name.replace("/functions/", "/services/")  # where Cloud Run's own policy is kept
    return cloud.iam.allowed(caller, INVOKE, name) or cloud.iam.allowed(caller, INVOKE, service)


def _forwarded(environ: Environ, authorization: str) -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").title(): value
        for key, value in environ.items()
        if key.startswith("HTTP_") and key[5:].replace("_", "-").lower() not in _HOP_BY_HOP
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    if authorization:
        unsigned = authorization.rpartition(".")[0]
        headers["Authorization"] = f"{unsigned}.{_STRIPPED}"
    headers["X-Forwarded-Proto"] = "https"
    return headers


@dataclass(frozen=True)
class _Request:
    verb: str
    target: str
    body: bytes
    headers: dict[str, str]


def _call(cloud: Cloud, function: Json, request: _Request) -> Answer:
    timeout = function["serviceConfig"]["timeoutSeconds"]
    for _ in range(2):
        try:
            instance = instances(cloud).warm(function)
        except StartError as error:
            return _page(503, f"The function could not be started: {error}; its output is in the log.")
        connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=timeout)
        try:
            connection.request(request.verb, request.target, request.body, request.headers)
            answer = connection.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
            kept.pop("Content-Length", None)
            return Answer(answer.status, kept, answer.read())
        except TimeoutError:
            return _page(504, "upstream request timeout")
        except ConnectionRefusedError:  # it died while idle: nothing was asked of it yet
            continue
        except (OSError, http.client.HTTPException) as error:
            return _page(503, f"malformed response or connection to the instance had an error: {error}")
        finally:
            connection.close()
    return _page(503, "no available instance")


def _page(status: int, text: str) -> Answer:
    content = f"<html><body><h1>Error: {status}</h1><h2>{text}</h2></body></html>\n".encode()
    headers: dict[str, Any] = {"Content-Type": "text/html; charset=UTF-8"}
    return Answer(status, headers, content)
