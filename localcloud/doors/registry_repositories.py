"""Artifact Registry's repositories: made, read, listed, removed (with all their images)."""

from __future__ import annotations

import re

from localcloud.doors import Call, Json, door
from localcloud.doors.errors import already_exists, invalid, not_found
from localcloud.doors.paging import page
from localcloud.doors.registry_store import BLOB, MANIFEST, REPOSITORY, TAG
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_API = "artifactregistry.projects.locations.repositories."
_TYPE = "type.googleapis.com/google.devtools.artifactregistry.v1.Repository"


@door(_API + "create", "artifactregistry.repositories.create")
def create(cloud: Cloud, call: Call) -> Json:
    """A new repository; only the Docker format is imitated. The operation is done at once."""
    short = call.params.get("repositoryId", "")
    if not _ID.fullmatch(short):
        raise invalid(f"repository_id: got {short!r}, expected lowercase letters, digits and hyphens")
    if call.body.get("format") != "DOCKER":
        raise invalid(f"repository.format: got {call.body.get('format')!r}, expected DOCKER")
    name = f"{call.params['parent']}/repositories/{short}"
    now = cloud.clock.timestamp()
    body = {"mode": "STANDARD_REPOSITORY", **call.body, "name": name, "createTime": now, "updateTime": now}
    if not cloud.store.create(REPOSITORY, name, body):
        raise already_exists("the repository")
    return _done(name, {"@type": _TYPE, **body})


@door(_API + "get", "artifactregistry.repositories.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One repository."""
    found = cloud.store.get(REPOSITORY, call.params["name"])
    if found is None:
        raise not_found("Requested entity")
    return found


@door(_API + "list", "artifactregistry.repositories.list")
def list_(cloud: Cloud, call: Call) -> Json:
    """The repositories of a location."""
    return page(call, "repositories", cloud.store.documents(REPOSITORY, call.params["parent"] + "/"))


@door(_API + "delete", "artifactregistry.repositories.delete")
def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a repository and its images."""
    get(cloud, call)
    name = call.params["name"]
    cloud.store.delete(REPOSITORY, name)
    images = f"{cloud.project}/{name.rpartition('/')[2]}/"
    for kind in (BLOB, MANIFEST, TAG):
        for key, _ in cloud.store.documents(kind, images):
            cloud.store.delete(kind, key)
    return _done(name, {"@type": "type.googleapis.com/google.protobuf.Empty"})


def _done(name: str, response: Json) -> Json:
    location = name.partition("/repositories/")[0]
    return {"name": f"{location}/operations/done", "done": True, "response": response}


plain_source(REPOSITORY)
