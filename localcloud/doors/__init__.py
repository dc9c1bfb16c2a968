"""The doors: Google's API methods, each a function under Google's own method id.

A door is registered with `@door("cloudkms.projects.locations.keyRings.create", permission=…, on=…)`.
Path, HTTP verb,
parameters and body schema come from Google's discovery document for that id; the door only says what happens.

Rules
- The caller is known before anything else happens; then parameters and body are checked; then the permission.
- A door is atomic: it runs in one transaction of the store, unless it says `atomic=False` because it streams.
- A door raises ApiError or returns JSON (or an Answer for anything else).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote

from localcloud.doors.errors import ApiError
from localcloud.identity.tokens import Caller
from localcloud.world.cloud import Cloud

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request, parsed: `params` are path and query parameters as the discovery document types them."""

    method: str  # Google's method id
    params: Mapping[str, Any]
    body: Json
    caller: Caller
    headers: Mapping[str, str]  # names in lower case
    stream: IO[bytes]  # the raw body where it is not JSON
    length: int  # of the raw body, in bytes
    url: str  # path and query as they came
    http_method: str
    upload: bool = False  # came through the /upload/ path
    media: bool = False  # asks for content (alt=media or the /download/ path)


@dataclass(frozen=True)
class Answer:
    """An answer that is not plain JSON 200."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Iterable[bytes] = b""


Handler = Callable[[Cloud, Call], Json | Answer]
Where = Callable[[Cloud, Call], str]


@dataclass(frozen=True)
class Door:
    """A registered method. `permission` None means that the method itself decides (or needs none)."""

    method: str
    handler: Handler
    permission: str | None
    on: Where
    atomic: bool


_PROJECT = re.compile(r"/projects/([^/:]+)")
DOORS: dict[str, Door] = {}


def project(cloud: Cloud, call: Call) -> str:
    """Permission is looked up on the project."""
    return f"projects/{cloud.project}"


def named(cloud: Cloud, call: Call) -> str:
    """Permission is looked up on the resource that the path names (name, parent, resource, …)."""
    keys = ("name", "parent", "resource", "topic", "subscription")
    return next(str(call.params[key]) for key in keys if key in call.params)


def door(
    method: str, permission: str | None, on: Where = named, *, atomic: bool = True
) -> Callable[[Handler], Handler]:
    """Register the function below as the answer to `method`."""

    def register(handler: Handler) -> Handler:
        DOORS[method] = Door(method, handler, permission, on, atomic)
        return handler

    return register


def enter(cloud: Cloud, entry: Door, call: Call) -> Json | Answer:
    """Let a checked call through its door."""
    check_project(cloud, call)
    if entry.permission is not None:
        require(cloud, call, entry.permission, entry.on(cloud, call))
    if not entry.atomic:
        return entry.handler(cloud, call)
    with cloud.store.transaction():
        return entry.handler(cloud, call)


def check_project(cloud: Cloud, call: Call) -> None:
    """403 for a path in a project that is not there (Compute says 404 itself: its images are everybody's)."""
    found = _PROJECT.search(call.url.partition("?")[0])
    if found and not call.method.startswith("compute."):
        named = unquote(found.group(1))
        if named not in (cloud.project, cloud.number, "-"):
            raise ApiError(403, f"Permission denied on resource project {named}.", reason="CONSUMER_INVALID")


def shown(body: Json) -> Json:
    """The resource as the API shows it: keys that begin with `_` are the stand-in's own."""
    return {key: value for key, value in body.items() if not key.startswith("_")}


def require(cloud: Cloud, call: Call, permission: str, resource: str) -> None:
    """Google's 403 unless the caller holds `permission` on `resource`."""
    if not cloud.iam.allowed(call.caller, permission, resource):
        raise ApiError(
            403,
            f"{call.caller.email or call.caller.principal} does not have {permission} access to "
            f"the resource {resource} (or it may not exist). "
            f"Permission '{permission}' denied on resource '{resource}'.",
        )
