"""`http`. Source: Google's pages "Module: http" and "Make an HTTP request".

Rules: a status from 400 is an HttpError with code, headers and body; a body goes out as the
Content-Type header says, without one bytes as they are and anything else as JSON; a JSON response
arrives decoded; timeout 300 s unless said otherwise, at most 1800 s.
"""

from __future__ import annotations

import inspect
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from .. import limits
from ..errors import WorkflowError, problem, resource_limit_error, type_error, value_error
from ..host import Auth, HttpFailure, HttpRequest, HttpResponse
from ..values import Value, decode_json, encode_json, type_name
from . import arguments, conversion
from .function import Library

if TYPE_CHECKING:
    from ..strand import Strand

library = Library("http")

USER_AGENT = "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)"
_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
_FORM = "application/x-www-form-urlencoded"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WRITTEN = "%/?:@!$&'()*+,;=#[]\"<>^`{|}\\"  # what an address keeps as it is
_TEXT_TYPES = ("text/", "application/xml", "application/javascript", _FORM)


@library.function("request", blocking=True, outward=True)
def request(
    strand: Strand,
    method: Value,
    url: Value,
    timeout: Value = None,
    body: Value = None,
    headers: Value = None,
    query: Value = None,
    auth: Value = None,
    private_service_name: Value = None,
    ca_certificate: Value = None,
) -> Value:
    """Send a request; the response as a map of body, code and headers."""
    verb = arguments.string(method, "method").upper()
    if verb not in _METHODS:
        raise value_error(f"unknown HTTP method {method!r}")
    if private_service_name is not None or ca_certificate is not None:
        raise value_error("private_service_name and ca_certificate are not imitated here")
    sent = _request(verb, url, timeout, body, headers, query, auth)
    return strand.effect(f"http {verb}", lambda: _exchange(strand, sent))


def _shorthand(verb: str, *without: str) -> None:
    """Offer `request` under a method's own name: with all of its parameters but these."""
    whole = inspect.signature(request)
    kept = [item for item in whole.parameters.values() if item.name not in ("method", *without)]
    names = [item.name for item in kept[1:]]

    def send(strand: Strand, *args: Value) -> Value:
        return request(strand, verb, **dict(zip(names, args, strict=True)))

    send.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]
    library.function(verb.lower(), blocking=True, outward=True)(send)


for _verb in ("POST", "PUT", "PATCH", "DELETE"):
    _shorthand(_verb)
_shorthand("GET", "body")


def _request(
    verb: str, url: Value, timeout: Value, body: Value, headers: Value, query: Value, auth: Value
) -> HttpRequest:
    address = _address(arguments.string(url, "url"))
    seconds = limits.HTTP_TIMEOUT_S if timeout is None else timeout
    given = {} if headers is None else arguments.mapping(headers, "headers")
    sent = {name: _header(name, value) for name, value in given.items()}
    by_name = {name.lower(): value for name, value in sent.items()}
    octets, content_type = _encoded(body, by_name.get("content-type", ""))
    if content_type and "content-type" not in by_name:
        sent["Content-Type"] = content_type
    if "user-agent" not in by_name:
        sent["User-Agent"] = USER_AGENT
    return HttpRequest(
        verb,
        address,
        sent,
        _query(query),
        octets,
        arguments.seconds(seconds, "timeout", limits.HTTP_TIMEOUT_MAX_S),
        _auth(auth, address),
    )


def _header(name: str, value: Value) -> str:
    text = arguments.string(value, f"the header {name!r}")
    if not _HEADER_NAME.fullmatch(name):
        raise value_error(f"{name!r} cannot be a header's name")
    if _CONTROL.search(text):
        raise value_error(f"the header {name!r} holds a control character")
    return text.encode().decode("latin-1")  # as a host writes headers out: the bytes are UTF-8's


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        place = parts.netloc if url.isascii() else parts.netloc.encode("idna").decode()
    except ValueError:
        whole, place = False, ""
    if not whole or _CONTROL.search(url):
        raise value_error(f"url must be a whole http or https address, got {url!r}")
    if url.isascii() and " " not in url:
        return url
    path, query = (quote(part, safe=_WRITTEN) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, place, path, query, ""))


def _query(query: Value) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in ({} if query is None else arguments.mapping(query, "query")).items():
        for one in value if type(value) is list else [value]:
            pairs.append((name, "" if one is None else conversion.to_string(one)))
    return pairs


def _encoded(body: Value, content_type: str) -> tuple[bytes | None, str]:
    if body is None:
        return None, ""
    if type(body) is bytes:
        return body, "application/octet-stream"
    kind = _media_type(content_type)
    if type(body) is str and kind and not _is_json(kind):
        return body.encode("utf-8", "replace"), content_type
    if kind == _FORM:
        fields = arguments.mapping(body, "the body of a form")
        return urlencode(_query(fields)).encode(), content_type
    return encode_json(body).encode("utf-8", "replace"), "application/json; charset=utf-8"


def _auth(auth: Value, url: str) -> Auth | None:
    if auth is None:
        return None
    given = arguments.mapping(auth, "auth")
    unknown = given.keys() - {"type", "audience", "scope", "scopes"}
    if unknown:
        raise value_error(f"auth has no {sorted(unknown)[0]!r}; it has type, audience, scope and scopes")
    kind = given.get("type")
    if kind == "OIDC":
        return {"type": kind, "audience": arguments.string(given.get("audience", url), "audience")}
    if kind == "OAuth2":
        scopes = given.get("scopes", given.get("scope", _CLOUD_PLATFORM))
        listed = scopes.replace(",", " ").split() if type(scopes) is str else scopes
        return {"type": kind, "scopes": [*arguments.elements(listed, "scopes")]}
    raise value_error(f"the type of auth is OIDC or OAuth2, got {kind!r}")


def _exchange(strand: Strand, sent: HttpRequest) -> Value:
    try:
        response = strand.execution.host.http(sent)
    except HttpFailure as failure:
        raise problem(failure.tag, str(failure)) from None
    if len(response.body) > strand.execution.limits.response_bytes:
        raise resource_limit_error(f"the response exceeds {strand.execution.limits.response_bytes} bytes")
    received: dict[str, Any] = {
        "body": _decoded(response),
        "code": response.status,
        "headers": {_canonical(name): value for name, value in response.headers.items()},
    }
    if response.status >= 400:
        message = f"HTTP server responded with error code {response.status}"
        raise WorkflowError({"message": message, "tags": ["HttpError"], **received})
    return received


@lru_cache(maxsize=1024)
def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _media_type(content_type: str) -> str:
    return content_type.split(";", maxsplit=1)[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _decoded(response: HttpResponse) -> Value:
    headers = {name.lower(): value for name, value in response.headers.items()}
    kind = _media_type(headers.get("content-type", "text/plain"))
    if not _is_json(kind) and not kind.startswith(_TEXT_TYPES) and not kind.endswith("+xml"):
        return response.body
    text = response.body.decode("utf-8", "replace")
    if not _is_json(kind):
        return text
    if not text:
        return None
    try:
        return decode_json(text)
    except WorkflowError:
        return text


def is_error_of(value: Value, codes: tuple[int, ...], tags: tuple[str, ...]) -> bool:
    """Whether a raised value is an HttpError of one of the codes, or has one of the tags."""
    if type(value) is not dict or type(value.get("tags")) is not list:
        return False
    if "HttpError" in value["tags"] and value.get("code") in codes:
        return True
    return any(tag in value["tags"] for tag in tags)


def _predicate_argument(value: Value) -> Value:
    if type(value) not in (dict, str):
        raise type_error(f"a predicate takes an error, got a {type_name(value)}")
    return value


@library.function("default_retry_predicate")
def default_retry_predicate(exception: Value) -> Value:
    """Whether to retry a call that may be sent twice: 429, 502, 503, 504, no connection, timeout."""
    tags = ("ConnectionError", "ConnectionFailedError", "TimeoutError")
    return is_error_of(_predicate_argument(exception), (429, 502, 503, 504), tags)


@library.function("default_retry_predicate_non_idempotent")
def default_retry_predicate_non_idempotent(exception: Value) -> Value:
    """Whether to retry a call that must not take effect twice: 429, 503, no connection."""
    return is_error_of(_predicate_argument(exception), (429, 503), ("ConnectionFailedError",))
