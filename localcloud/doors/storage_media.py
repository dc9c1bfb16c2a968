"""Content of an object, whole or a range of it."""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Answer
from localcloud.doors.kms_use import check_still_usable
from localcloud.doors.storage_contents import read
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def content(cloud: Cloud, resource: Json, wanted: str | None) -> Answer:
    """The answer to a download; `wanted` is the Range header."""
    if "kmsKeyName" in resource:
        check_still_usable(cloud, resource["kmsKeyName"])
    size = int(resource["size"])
    headers = _headers(resource)
    span = _span(wanted, size)
    if span is None:
        return Answer(416, {"Content-Range": f"bytes */{size}", "Content-Type": "text/plain"})
    start, end = span
    headers["Content-Length"] = str(end - start)
    status = 200
    if wanted is not None and _RANGE.fullmatch(wanted):
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
    return Answer(status, headers, read(cloud, resource["_sha256"], start, end))


def _span(wanted: str | None, size: int) -> tuple[int, int] | None:
    """(first byte, byte after the last), or None if nothing of the range exists."""
    found = _RANGE.fullmatch(wanted or "")
    if found is None or found.group() == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if size else None
    start = int(first)
    end = min(int(last) + 1 if last else size, size)
    return (start, end) if start < end else None


def _headers(resource: Json) -> dict[str, str]:
    hashes = f"crc32c={resource['crc32c']}"
    if "md5Hash" in resource:
        hashes += f",md5={resource['md5Hash']}"
    headers = {
        "Content-Type": resource["contentType"],
        "X-Goog-Hash": hashes,
        "X-Goog-Generation": resource["generation"],
        "X-Goog-Metageneration": resource["metageneration"],
        "X-Goog-Storage-Class": resource["storageClass"],
        "X-Goog-Stored-Content-Encoding": resource.get("contentEncoding", "identity"),
        "X-Goog-Stored-Content-Length": resource["size"],
        "ETag": resource["etag"],
    }
    for field, header in (
        ("contentEncoding", "Content-Encoding"),
        ("contentDisposition", "Content-Disposition"),
        ("contentLanguage", "Content-Language"),
        ("cacheControl", "Cache-Control"),
    ):
        if field in resource:
            headers[header] = resource[field]
    return headers
