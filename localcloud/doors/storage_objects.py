"""Objects: read, listed, changed, copied, composed, deleted, restored."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localcloud.doors import Answer, Call, door, shown
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.kms_use import check_still_usable
from localcloud.doors.storage_conditions import check_conditions
from localcloud.doors.storage_contents import contents, read
from localcloud.doors.storage_listing import page
from localcloud.doors.storage_media import content
from localcloud.doors.storage_names import (
    LIVE,
    NONCURRENT,
    bucket_for,
    live,
    may,
    merged,
    moment,
    no_object,
    noncurrent_key,
    the_bucket,
    version,
)
from localcloud.doors.storage_rates import check_written
from localcloud.doors.storage_soft_delete import soft_deleted
from localcloud.doors.storage_write import SETTABLE, check_writable, etag, place, remove
from localcloud.world.blobs import Blob
from localcloud.world.cloud import Cloud
from localcloud.world.events import METADATA_UPDATED, announce_object

Json = dict[str, Any]


@door("storage.objects.get", None, atomic=False)
def get(cloud: Cloud, call: Call) -> Answer | Json:
    """One object's metadata, or its content."""
    if call.params.get("softDeleted"):
        return shown(_soft_deleted(cloud, call, "storage.objects.get"))
    found = _found(cloud, call, "storage.objects.get")
    check_conditions(call.params, found, reading=True)
    if not call.media:
        return shown(found)
    return content(cloud, found, call.headers.get("range"))


@door("storage.objects.list", None)
def list_objects(cloud: Cloud, call: Call) -> Json:
    """A page of a bucket's objects."""
    bucket = bucket_for(cloud, call, "storage.objects.list")
    return page(cloud, bucket["name"], call.params)


@door("storage.objects.patch", None)
def patch(cloud: Cloud, call: Call) -> Json:
    """Change metadata; null removes a field."""
    found = _found(cloud, call, "storage.objects.update")
    check_conditions(call.params, found)
    for key, value in call.body.items():
        if key not in SETTABLE and value != found.get(key):
            raise invalid(f"{key}: cannot be changed by a patch")
    check_written(cloud, found)
    number = str(int(found["metageneration"]) + 1)
    new = merged(found, call.body)
    new.update(metageneration=number, updated=moment(cloud), etag=etag(found["generation"], number))
    alive = live(cloud, new["bucket"], new["name"])
    if alive is not None and alive["generation"] == new["generation"]:
        cloud.store.put(LIVE, f"{new['bucket']}/{new['name']}", new)
    else:
        key = noncurrent_key(new["bucket"], new["name"], new["generation"])
        cloud.store.put(NONCURRENT, key, new)
    announce_object(cloud, METADATA_UPDATED, shown(new))
    return shown(new)


@door("storage.objects.delete", None)
def delete(cloud: Cloud, call: Call) -> Answer:
    """Delete one version of an object."""
    found = _found(cloud, call, "storage.objects.delete")
    check_conditions(call.params, found)
    bucket = the_bucket(cloud, call.params["bucket"])
    remove(cloud, bucket, found, call.params.get("generation"))
    return Answer(204)


@door("storage.objects.restore", None)
def restore(cloud: Cloud, call: Call) -> Json:
    """Make a soft-deleted version live again, as a new generation."""
    found = _soft_deleted(cloud, call, "storage.objects.restore")
    settings = {key: found[key] for key in ("name", *SETTABLE, "componentCount") if key in found}
    return place(cloud, call, found["bucket"], settings, _blob(found), call.params)


def _soft_deleted(cloud: Cloud, call: Call, permission: str) -> Json:
    bucket, name, generation = (call.params.get(key) for key in ("bucket", "object", "generation"))
    if generation is None:
        raise invalid("generation: required for a soft-deleted object")
    may(cloud, call, permission, str(bucket), str(name))
    found = soft_deleted(cloud, the_bucket(cloud, str(bucket))["name"], str(name), str(generation))
    if found is None:
        raise no_object(cloud, call, str(bucket), str(name))
    return found


@door("storage.objects.copy", None)
def copy(cloud: Cloud, call: Call) -> Json:
    """Copy an object; settings that the body leaves out come from the source."""
    return _copy(cloud, call)


@door("storage.objects.rewrite", None)
def rewrite(cloud: Cloud, call: Call) -> Json:
    """Copy an object, always in one go."""
    made = _copy(cloud, call)
    return {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": made["size"],
        "objectSize": made["size"],
        "done": True,
        "resource": made,
    }


@door("storage.objects.compose", None)
def compose(cloud: Cloud, call: Call) -> Json:
    """Join up to 32 objects of one bucket into one."""
    bucket, name = call.params["destinationBucket"], call.params["destinationObject"]
    sources = call.body.get("sourceObjects", [])
    if not 1 <= len(sources) <= 32:
        raise invalid(f"sourceObjects: got {len(sources)}, expected 1 to 32")
    if call.body.get("deleteSourceObjects"):
        raise ApiError(501, "deleteSourceObjects: the stand-in does not imitate it")
    for index, one in enumerate(sources):
        if not one.get("name"):
            raise invalid(f"sourceObjects[{index}].name: required")
    settings = {**call.body.get("destination", {}), "name": name}
    check_writable(cloud, call, bucket, settings)
    parts = [_source(cloud, call, bucket, one["name"], one.get("generation")) for one in sources]
    for part, one in zip(parts, sources, strict=True):
        check_conditions(one.get("objectPreconditions", {}), part)
    settings["componentCount"] = sum(part.get("componentCount", 1) for part in parts)
    settings.setdefault("contentType", parts[0]["contentType"])
    blob = contents(cloud).write(_joined(cloud, parts))
    return place(cloud, call, bucket, settings, blob, call.params)


def _joined(cloud: Cloud, parts: list[Json]) -> Iterator[bytes]:
    for part in parts:
        yield from read(cloud, part["_sha256"], 0, int(part["size"]))


def _copy(cloud: Cloud, call: Call) -> Json:
    params = call.params
    source = _source(
        cloud, call, params["sourceBucket"], params["sourceObject"], params.get("sourceGeneration")
    )
    check_conditions(params, source, suffix="Source")
    settings = {key: source[key] for key in SETTABLE if key in source}
    settings.update({key: value for key, value in call.body.items() if key in SETTABLE})
    settings["name"] = params["destinationObject"]
    if "destinationKmsKeyName" in params:
        settings["kmsKeyName"] = params["destinationKmsKeyName"]
    bucket = params["destinationBucket"]
    check_writable(cloud, call, bucket, settings)
    if "componentCount" in source:
        settings["componentCount"] = source["componentCount"]
    return place(cloud, call, bucket, settings, _blob(source), params)


def _source(cloud: Cloud, call: Call, bucket: str, name: str, generation: str | int | None) -> Json:
    params = {"bucket": bucket, "object": name}
    if generation is not None:
        params["generation"] = str(generation)
    found = _found(cloud, replace(call, params=params), "storage.objects.get")
    if "kmsKeyName" in found:
        check_still_usable(cloud, found["kmsKeyName"])
    return found


def _blob(resource: Json) -> Blob:
    return Blob(
        sha256=resource["_sha256"],
        md5=base64.b64decode(resource.get("md5Hash", "")).hex(),
        crc32c=int.from_bytes(base64.b64decode(resource["crc32c"]), "big"),
        size=int(resource["size"]),
    )


def _found(cloud: Cloud, call: Call, permission: str) -> Json:
    bucket, name = call.params["bucket"], call.params["object"]
    the_bucket(cloud, bucket)
    may(cloud, call, permission, bucket, name)
    found = version(cloud, bucket, name, call.params.get("generation"))
    if found is None:
        raise no_object(cloud, call, bucket, name)
    return found
