"""Push an OCI layout by the OCI distribution protocol; what is there already is not sent again.

The registry is the reference's host by https, or a loopback endpoint. Every blob is checked
against its digest before it is sent, and the registry's answer against ours after.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from cli.image.layout import MANIFEST_TYPE, Digest, ImageError

_REFERENCE = re.compile(
    r"(?P<host>[a-z0-9.-]+(?::\d+)?)/(?P<name>[a-z0-9][a-z0-9._/-]*)"
    r"(?::(?P<tag>[A-Za-z0-9_][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):\d{1,5}")
_TIMEOUT_S = 60


def push(layout: Path, endpoint: str | None, reference: str, session: requests.Session) -> str:
    """Push the layout's image as `HOST/NAME[:TAG][@sha256:…]`; give the reference by digest.

    `session` brings the credentials. Raises ImageError when the reference's digest is another, or
    the registry refuses.
    """
    asked = _REFERENCE.fullmatch(reference)
    if asked is None:
        raise ImageError(f"reference: got {reference!r}, expected HOST/NAME[:TAG][@sha256:…]")
    if endpoint is not None and not _LOOPBACK.fullmatch(endpoint):
        raise ImageError(f"endpoint: got {endpoint!r}, expected http://127.0.0.1:PORT or none")
    descriptor = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    digest = Digest(descriptor["digest"])
    if asked["digest"] not in {None, digest}:
        raise ImageError(f"digest: the layout is {digest}, the reference says {asked['digest']}")
    registry = f"{endpoint or 'https://' + asked['host']}/v2/{asked['name']}"
    manifest = _blob(layout, digest)
    content = json.loads(manifest)
    for part in (content["config"], *content["layers"]):
        _push_blob(session, registry, part["digest"], _blob(layout, part["digest"]))
    for name in filter(None, (digest, asked["tag"])):
        answer = session.put(
            f"{registry}/manifests/{name}",
            data=manifest,
            headers={"Content-Type": MANIFEST_TYPE},
            timeout=_TIMEOUT_S,
        )
        _expect(answer, 201, f"manifest {name}")
    return f"{asked['host']}/{asked['name']}@{digest}"


def session_for(endpoint: str | None) -> requests.Session:
    """Make a session: the person's own Google credentials, or none for a loopback endpoint."""
    if endpoint is not None:
        return requests.Session()
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    scope = "https://www.googleapis.com/auth/cloud-platform"
    authorized: Any = AuthorizedSession  # google-auth carries no types
    session: requests.Session = authorized(google.auth.default(scopes=[scope])[0])
    return session


def _push_blob(session: requests.Session, registry: str, digest: str, blob: bytes) -> None:
    if session.head(f"{registry}/blobs/{digest}", timeout=_TIMEOUT_S).status_code == 200:
        return
    start = session.post(f"{registry}/blobs/uploads/", timeout=_TIMEOUT_S)
    _expect(start, 202, "starting an upload")
    answer = session.put(
        urljoin(registry, start.headers["Location"]),
        params={"digest": digest},
        data=blob,
        headers={"Content-Type": "application/octet-stream"},
        timeout=_TIMEOUT_S,
    )
    _expect(answer, 201, f"blob {digest}")


def _blob(layout: Path, digest: str) -> bytes:
    data = (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise ImageError(f"{digest}: the layout's blob has other bytes; build it again")
    return data


def _expect(answer: requests.Response, status: int, doing: str) -> None:
    if answer.status_code != status:
        detail = answer.text[:200]
        raise ImageError(
            f"{doing}: HTTP {answer.status_code}, expected {status}: {detail}; the repository must "
            "exist and you must be allowed to write to it"
        )
