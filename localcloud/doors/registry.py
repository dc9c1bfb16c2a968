"""Artifact Registry's Docker side: the OCI distribution protocol under `/v2/PROJECT/REPOSITORY/IMAGE/…`.

- Every digest is checked: a blob or manifest is kept under the SHA-256 that its bytes have, or refused.
- A manifest is accepted only when all that it names is there.
- Pulling needs downloadArtifacts, pushing uploadArtifacts, on the repository, which must exist.
- Callers come with a bearer token, or Basic `oauth2accesstoken:TOKEN`, or without one (the keyboard).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.doors import Answer
from localcloud.doors.registry_store import Image, Refusal
from localcloud.identity.tokens import KEYBOARD, Caller
from localcloud.server import special
from localcloud.world.cloud import Cloud

if TYPE_CHECKING:
    from localcloud.server import Environ

_PATH = re.compile(
    r"/v2/(?P<image>[a-z0-9._/-]+)/(?P<room>blobs/uploads|blobs|manifests|tags)/?(?P<rest>[^/]*)"
)
_PULL = "artifactregistry.repositories.downloadArtifacts"
_PUSH = "artifactregistry.repositories.uploadArtifacts"


@dataclass(frozen=True)
class _Request:
    verb: str
    rest: str
    query: dict[str, str]
    environ: Environ


@special("/v2/")
def registry(cloud: Cloud, environ: Environ) -> Answer | None:
    """Serve what looks like the registry's; pass on everything else under /v2/."""
    raw = str(environ["REQUEST_URI"]).partition("?")[0]
    found = _PATH.fullmatch(raw)
    verb = str(environ["REQUEST_METHOD"])
    if raw == "/v2/" and verb == "GET":
        return Answer(headers={"Docker-Distribution-API-Version": "registry/2.0"}, content=b"{}")
    if found is None:
        return None
    name = f"artifactregistry.{verb} {found['room']}"
    caller = _caller(cloud, environ.get("HTTP_AUTHORIZATION", ""))
    noted = cloud.calls.begin(cloud.clock.timestamp(), name, raw, caller.principal if caller else "")
    try:
        answer = _serve(cloud, environ, verb, found, caller)
    except Refusal as refusal:
        answer = refusal.answer()
    noted.status = answer.status
    return answer


def _serve(cloud: Cloud, environ: Environ, verb: str, found: re.Match[str], caller: Caller | None) -> Answer:
    if caller is None:
        raise Refusal(401, "UNAUTHORIZED", "authentication required")
    image = Image(cloud, found["image"])
    writes = verb not in ("GET", "HEAD")
    permission = _PUSH if writes else _PULL
    resource = image.repository()
    if not cloud.iam.allowed(caller, permission, resource):
        text = f'Permission "{permission}" denied on resource "{resource}" (or it may not exist)'
        raise Refusal(403, "DENIED", text)
    action = _ACTIONS.get((verb, found["room"]))
    if action is None:
        raise Refusal(405, "UNSUPPORTED", f"{verb} on {found['room']} is not imitated")
    return action(image, found["rest"], environ)


def _caller(cloud: Cloud, header: str) -> Caller | None:
    kind, _, value = header.partition(" ")
    if not header:
        return KEYBOARD
    if kind.lower() == "basic":
        try:
            user, _, value = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if user != "oauth2accesstoken":
            return None
    return cloud.tokens.caller(value.strip())


def _get_blob(image: Image, rest: str, _: Environ) -> Answer:
    return image.blob(rest)


def _get_manifest(image: Image, rest: str, _: Environ) -> Answer:
    return image.manifest(rest)


def _put_manifest(image: Image, rest: str, environ: Environ) -> Answer:
    return image.put_manifest(rest, environ["wsgi.input"].read(), environ.get("CONTENT_TYPE", ""))


def _begin(image: Image, _: str, environ: Environ) -> Answer:
    digest = _digest(environ)
    if digest:
        return image.finish(image.begin(), digest, environ["wsgi.input"])
    session = image.begin()
    return image.progress(session)


def _append(image: Image, rest: str, environ: Environ) -> Answer:
    image.append(rest, environ["wsgi.input"])
    return image.progress(rest)


def _finish(image: Image, rest: str, environ: Environ) -> Answer:
    return image.finish(rest, _digest(environ), environ["wsgi.input"])


def _digest(environ: Environ) -> str:
    found = re.search(
        r"(?:^|&)digest=(sha256(?::|%3[aA])[0-9a-f]{64})(?:&|$)", environ.get("QUERY_STRING", "")
    )
    return re.sub("%3[aA]", ":", found.group(1)) if found else ""


_ACTIONS: dict[tuple[str, str], Callable[[Image, str, Environ], Answer]] = {
    ("GET", "blobs"): _get_blob,
    ("HEAD", "blobs"): _get_blob,
    ("GET", "manifests"): _get_manifest,
    ("HEAD", "manifests"): _get_manifest,
    ("PUT", "manifests"): _put_manifest,
    ("POST", "blobs/uploads"): _begin,
    ("PATCH", "blobs/uploads"): _append,
    ("PUT", "blobs/uploads"): _finish,
}
