"""Objects of Cloud Storage: list, read, create a record; data goes up by Google's own client (`cli.upload`).

- A listing is complete: every page is read.
- A record is small and read whole (at most 64 MiB); data is streamed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from cli.api import Api, refusal
from cli.errors import CloudError, CommandError

_CHUNK_BYTES = 1 << 20
_MAX_RECORD_BYTES = 64 << 20


class Object(msgspec.Struct, frozen=True):
    """One object as listed; `created` is RFC 3339, `md5` base64 or "" where the cloud has none."""

    name: str
    generation: str
    size: int
    created: str
    md5: str
    crc32c: str


def listing(api: Api, bucket: str, prefix: str) -> list[Object]:
    """Every object whose name starts with `prefix`, in name order."""
    return [_object(item) for page in _pages(api, bucket, prefix=prefix) for item in page.get("items", [])]


def folders(api: Api, bucket: str, prefix: str) -> list[str]:
    """The names between `prefix` and the next slash, in order."""
    pages = _pages(api, bucket, prefix=prefix, delimiter="/")
    found = [folder for page in pages for folder in page.get("prefixes", [])]
    return [folder.removeprefix(prefix).rstrip("/") for folder in found]


def find(api: Api, bucket: str, name: str) -> Object | None:
    """The object, or None."""
    found = api.find("storage", _path(bucket, name))
    return None if found is None else _object(found)


def read(api: Api, bucket: str, name: str) -> bytes | None:
    """A record's bytes, or None if there is none."""
    answer = api.send("GET", "storage", _path(bucket, name), params={"alt": "media"}, again=True)
    if answer.status_code == 404:
        return None
    if answer.status_code != 200:
        raise refusal("GET", _path(bucket, name), answer)
    if len(answer.content) > _MAX_RECORD_BYTES:
        got = len(answer.content)
        raise CommandError(
            "a record is too large", field=name, got=got, expected=f"<= {_MAX_RECORD_BYTES} bytes"
        )
    return answer.content


def read_json(api: Api, bucket: str, name: str) -> Any:
    """A record's JSON, or None if there is none."""
    data = read(api, bucket, name)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise CommandError("a record cannot be read", field=name, got=error, expected="JSON") from error


def create(api: Api, bucket: str, name: str, data: bytes) -> bool:
    """Create a record; False if there is one of that name, which then stands."""
    answer = api.send(
        "POST",
        "storage",
        f"/upload/storage/v1/b/{bucket}/o",
        data=data,
        headers={"Content-Type": "application/json"},
        params={"uploadType": "media", "name": name, "ifGenerationMatch": "0"},
        again=True,  # what stands then is ours, or was there before: either way it stands
    )
    if answer.status_code not in (200, 412):
        raise refusal("POST", name, answer)
    return answer.status_code == 200


def md5_of(file: Path) -> str:
    """Base64 of the file's MD5, as Cloud Storage writes it; a check on a transfer, no proof of anything."""
    md5 = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            md5.update(chunk)
    return base64.b64encode(md5.digest()).decode()


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _pages(api: Api, bucket: str, **params: Any) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        wanted = {**params, "pageToken": token} if token else params
        page = api.get("storage", f"/storage/v1/b/{bucket}/o", **wanted)
        yield page
        token = page.get("nextPageToken", "")
        if not token:
            return


def _object(item: dict[str, Any]) -> Object:
    try:
        return Object(
            name=str(item["name"]),
            generation=str(item["generation"]),
            size=int(item["size"]),
            created=str(item["timeCreated"]),
            md5=str(item.get("md5Hash", "")),
            crc32c=str(item.get("crc32c", "")),
        )
    except (KeyError, ValueError) as error:
        raise CloudError(f"an object's description cannot be read: {error}", status=200) from error


def _path(bucket: str, name: str) -> str:
    return f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
