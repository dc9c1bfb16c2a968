"""Uploads: simple (media), multipart, and resumable in chunks.

Rules
- A resumable session is known by its address alone, belongs to the caller who began it, and
  survives a restart.
- A chunk must begin where the kept bytes end (or before: the overlap is skipped). All but the last
  chunk are kept in multiples of 256 KiB; the answer 308 tells in `Range` how much is kept.
- After the end, the session answers every question with the finished object.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl

from localcloud.doors import Answer, Call, door
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.payload import parse_json
from localcloud.doors.schema import check_body
from localcloud.doors.storage_contents import contents
from localcloud.doors.storage_write import check_writable, place
from localcloud.identity.tokens import Caller
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_SESSION = "storage.upload"
_STEP = 256 * 1024
_CHUNK = 1 << 20
_SETTINGS = ("name", "contentEncoding", "kmsKeyName")
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@door("storage.objects.insert", None, atomic=False)
def insert(cloud: Cloud, call: Call) -> Answer | Json:
    """Take in an object, by whichever of the three protocols."""
    query = dict(parse_qsl(call.url.partition("?")[2]))
    if "upload_id" in query:
        return _continue(cloud, call, query["upload_id"])
    kind = query.get("uploadType")
    if not call.upload or kind not in ("media", "multipart", "resumable"):
        raise invalid("uploadType: expected media, multipart or resumable on the /upload/ path")
    bucket = str(call.params["bucket"])
    if kind == "resumable":
        return _begin(cloud, call, bucket)
    if kind == "multipart":
        metadata, content_type, body = _parts(call)
        settings = _settings(call, metadata, content_type)
        check_writable(cloud, call, bucket, settings)
        blob = contents(cloud).write([body])
    else:
        settings = _settings(call, {}, call.headers["content-type"])
        check_writable(cloud, call, bucket, settings)
        settings.update(_hashes(call))
        blob = contents(cloud).write(_chunks(call.stream))
    return place(cloud, call, bucket, settings, blob, call.params)


def _begin(cloud: Cloud, call: Call, bucket: str) -> Answer:
    raw = call.stream.read()
    metadata = check_body("storage", "Object", parse_json(raw))
    settings = _settings(call, metadata, call.headers.get("x-upload-content-type", ""))
    check_writable(cloud, call, bucket, settings)
    upload_id = secrets.token_urlsafe(48)
    session: Json = {
        "bucket": bucket,
        "settings": settings,
        "params": dict(call.params),
        "principal": call.caller.principal,
        "members": sorted(call.caller.members),
    }
    cloud.store.put(_SESSION, upload_id, session)
    _draft(cloud, upload_id).touch()
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
    headers = {"Location": cloud.endpoint + path, "X-GUploader-UploadID": upload_id}
    return Answer(200, headers)


def _continue(cloud: Cloud, call: Call, upload_id: str) -> Answer | Json:
    session = cloud.store.get(_SESSION, upload_id)
    if session is None:
        raise ApiError(404, "No such upload session.")
    if "done" in session:
        done: Json = session["done"]
        return done
    draft = _draft(cloud, upload_id)
    start, total = _content_range(call)
    kept = draft.stat().st_size
    if start is None:
        if total != kept:
            return _incomplete(kept)
    else:
        kept = _append(draft, call.stream, kept, start, total)
        if total is None or kept < total:
            return _incomplete(kept)
        if kept > total:
            raise invalid(f"Content-Range: got {kept} bytes, expected {total} in all")
    session["settings"].update(_hashes(call))
    return _finish(cloud, call, upload_id, session)


def _finish(cloud: Cloud, call: Call, upload_id: str, session: Json) -> Json:
    draft = _draft(cloud, upload_id)
    owner = replace(call, caller=Caller(session["principal"], frozenset(session["members"])))
    blob = contents(cloud).adopt(draft)
    with cloud.store.transaction():
        settings = session["settings"]
        done = place(cloud, owner, session["bucket"], settings, blob, session["params"])
        cloud.store.put(_SESSION, upload_id, {"done": done})
    draft.unlink()
    return done


def _append(draft: Path, stream: IO[bytes], kept: int, start: int, total: int | None) -> int:
    if draft.stat().st_nlink > 1:
        raise invalid("Content-Range: got more bytes for an upload that is whole")
    if start > kept:
        raise invalid(f"Content-Range: got a chunk that begins at {start}, expected {kept}")
    with draft.open("ab") as file:
        skip = kept - start
        while skip > 0 and (overlap := stream.read(min(_CHUNK, skip))):
            skip -= len(overlap)
        for chunk in _chunks(stream):
            file.write(chunk)
        size = file.tell()
        if total is None or size < total:
            size -= size % _STEP
            file.truncate(size)
    return size


def _incomplete(kept: int) -> Answer:
    return Answer(308, {"Range": f"bytes=0-{kept - 1}"} if kept else {})


def _content_range(call: Call) -> tuple[int | None, int | None]:
    """(first byte of the chunk, size of the whole); None for what is not told."""
    text = call.headers.get("content-range")
    if text is None:
        return 0, call.length
    found = _RANGE.fullmatch(text)
    if found is None:
        raise invalid(f"Content-Range: got {text!r}, expected bytes A-B/N, bytes A-B/* or bytes */N")
    start, _, total = found.groups()
    return None if start is None else int(start), None if total == "*" else int(total)


def _parts(call: Call) -> tuple[Json, str, bytes]:
    """Metadata, content type and bytes of a multipart/related body."""
    found = re.search(r'boundary="?([^";]+)"?', call.headers["content-type"])
    if found is None:
        raise invalid("Content-Type: expected multipart/related with a boundary")
    mark = b"--" + found.group(1).encode()
    body = call.stream.read()
    pieces = body.split(mark, 2)
    end = body.rfind(b"\r\n" + mark + b"--")
    if len(pieces) != 3 or end < 0:
        raise invalid("Malformed multipart body.")
    _, _, metadata = pieces[1].partition(b"\r\n\r\n")
    start = len(pieces[0]) + 2 * len(mark) + len(pieces[1])
    head, _, _ = body[start:end].partition(b"\r\n\r\n")
    content = body[start + len(head) + 4 : end]
    kind = re.search(rb"(?i)content-type:\s*([^\r\n]+)", head)
    settings = check_body("storage", "Object", parse_json(metadata.rstrip()))
    return settings, kind.group(1).decode() if kind else "", content


def _settings(call: Call, metadata: Json, content_type: str) -> Json:
    settings = dict(metadata)
    settings.update({key: call.params[key] for key in _SETTINGS if key in call.params})
    settings.setdefault("contentType", content_type or "application/octet-stream")
    if call.headers.get("x-goog-encryption-algorithm"):
        raise ApiError(501, "customer-supplied keys: the stand-in does not imitate them")
    return settings


def _hashes(call: Call) -> Json:
    """Digests that the client sent beside the bytes."""
    found = re.findall(r"(crc32c|md5)=([A-Za-z0-9+/]+=*)", call.headers.get("x-goog-hash", ""))
    return {"crc32c" if kind == "crc32c" else "md5Hash": value for kind, value in found}


def _draft(cloud: Cloud, upload_id: str) -> Path:
    folder = cloud.root / "uploads"
    folder.mkdir(exist_ok=True)
    return folder / upload_id


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
