"""Pages of object names: prefix, delimiter, offsets, noncurrent or soft-deleted versions.

Order is by code point of the name, then by generation. A page token is the last name of the page
before, encoded.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from localcloud.doors import shown
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.storage_names import LIVE, NONCURRENT, SOFT_DELETED
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_NOT_HERE = ("matchGlob", "filter", "includeFoldersAsPrefixes", "includeTrailingDelimiter")


def page(cloud: Cloud, bucket: str, params: Mapping[str, Any]) -> Json:
    """One page as the API answers it."""
    for key in _NOT_HERE:
        if params.get(key):
            raise ApiError(501, f"{key}: the stand-in does not imitate it")
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    limit = page_size(params)
    after = _after(params.get("pageToken"))
    items: list[Json] = []
    prefixes: list[str] = []
    last: tuple[str, int] | None = None
    for place, resource in _candidates(cloud, bucket, prefix, params):
        folder = _folder(place[0], prefix, delimiter)
        if after is not None and place <= after:
            continue
        if folder is not None and (folder in prefixes or _listed_before(folder, after)):
            continue
        if len(items) + len(prefixes) >= limit:
            return _answer(items, prefixes, last)
        last = place
        if folder is None:
            items.append(resource)
        else:
            prefixes.append(folder)
    return _answer(items, prefixes, None)


def page_size(params: Mapping[str, Any]) -> int:
    """How many results a page may have: `maxResults`, at most 1,000."""
    wanted = int(params.get("maxResults", 1000))
    if wanted < 1:
        raise invalid(f"maxResults: got {wanted}, expected 1 or more")
    return min(wanted, 1000)


def _candidates(
    cloud: Cloud, bucket: str, prefix: str, params: Mapping[str, Any]
) -> list[tuple[tuple[str, int], Json]]:
    kinds: tuple[str, ...] = (LIVE, NONCURRENT) if params.get("versions") else (LIVE,)
    if params.get("softDeleted"):
        if params.get("versions"):
            raise invalid("softDeleted: cannot be used together with versions")
        kinds = (SOFT_DELETED,)
    start, end = params.get("startOffset", ""), params.get("endOffset", "")
    found = []
    for kind in kinds:
        for _, resource in cloud.store.documents(kind, f"{bucket}/{prefix}"):
            name = resource["name"]
            if name >= start and (not end or name < end) and name.startswith(prefix):
                found.append(((name, int(resource["generation"])), shown(resource)))
    return sorted(found, key=lambda pair: pair[0])


def _folder(name: str, prefix: str, delimiter: str) -> str | None:
    if not delimiter:
        return None
    at = name.find(delimiter, len(prefix))
    return None if at < 0 else name[: at + len(delimiter)]


def _listed_before(folder: str, after: tuple[str, int] | None) -> bool:
    return after is not None and after[0].startswith(folder)


def _answer(items: list[Json], prefixes: list[str], last: tuple[str, int] | None) -> Json:
    answer: Json = {"kind": "storage#objects"}
    if items:
        answer["items"] = items
    if prefixes:
        answer["prefixes"] = prefixes
    if last is not None:
        text = f"{last[1]}/{last[0]}"
        answer["nextPageToken"] = base64.urlsafe_b64encode(text.encode()).decode()
    return answer


def _after(token: str | None) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        generation, _, name = base64.urlsafe_b64decode(token).decode().partition("/")
        return name, int(generation)
    except ValueError as error:
        raise invalid(f"pageToken: got {token!r}, which no page of ours ended with") from error
