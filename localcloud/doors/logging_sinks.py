"""Sinks: entries that fit a filter go to a Pub/Sub topic.

Rules
- A sink writes as its `writerIdentity`; entries are dropped, as on Google, while that identity may
  not publish.
- Only Pub/Sub destinations are imitated; a sink for anything else is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from localcloud.doors import Call, door
from localcloud.doors.errors import ApiError, already_exists, invalid, not_found
from localcloud.doors.logging_filter import compiled
from localcloud.doors.paging import page
from localcloud.identity.tokens import Caller
from localcloud.world.cloud import Cloud
from localcloud.world.events import publish
from localcloud.world.inventory import plain_source

Json = dict[str, Any]

_SINK = "logging.sink"  # name: projects/P/sinks/S
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_PREFIX = "pubsub.googleapis.com/"
_KEPT = ("name", "description", "destination", "disabled", "exclusions", "filter")


@door("logging.projects.sinks.create", "logging.sinks.create")
def create(cloud: Cloud, call: Call) -> Json:
    """Make a sink."""
    body, name = call.body, str(call.body.get("name", ""))
    if not _NAME.fullmatch(name):
        raise invalid(f"name: got {name!r}, expected {_NAME.pattern}")
    destination = str(body.get("destination", ""))
    if not re.fullmatch(r"pubsub\.googleapis\.com/projects/[^/]+/topics/[^/]+", destination):
        raise ApiError(
            501, f"destination {destination!r}: the stand-in only knows {_PREFIX}projects/P/topics/T"
        )
    for text in (body.get("filter", ""), *(one.get("filter", "") for one in body.get("exclusions", []))):
        compiled(text)
    unique = call.params.get("uniqueWriterIdentity")
    agent = f"service-{cloud.number}@gcp-sa-logging.iam.gserviceaccount.com"
    now = cloud.clock.timestamp()
    full = f"{call.params['parent']}/sinks/{name}"
    sink = {
        **{field: body[field] for field in _KEPT if field in body},
        "resourceName": full,
        "writerIdentity": f"serviceAccount:{agent if unique else 'cloud-logs@system.gserviceaccount.com'}",
        "createTime": now,
        "updateTime": now,
    }
    if not cloud.store.create(_SINK, full, sink):
        raise already_exists(f"Sink {name}")
    return sink


@door("logging.projects.sinks.get", "logging.sinks.get", on=lambda _, call: str(call.params["sinkName"]))
def get(cloud: Cloud, call: Call) -> Json:
    """One sink."""
    found = cloud.store.get(_SINK, call.params["sinkName"])
    if found is None:
        raise not_found(f"Sink {call.params['sinkName']}")
    return found


@door("logging.projects.sinks.list", "logging.sinks.list")
def list_sinks(cloud: Cloud, call: Call) -> Json:
    """The project's sinks."""
    return page(call, "sinks", cloud.store.documents(_SINK, f"{call.params['parent']}/sinks/"))


@door(
    "logging.projects.sinks.delete", "logging.sinks.delete", on=lambda _, call: str(call.params["sinkName"])
)
def delete(cloud: Cloud, call: Call) -> Json:
    """Delete a sink."""
    if not cloud.store.delete(_SINK, call.params["sinkName"]):
        raise not_found(f"Sink {call.params['sinkName']}")
    return {}


def route(cloud: Cloud, entry: Json) -> None:
    """Give an entry to every sink that wants it."""
    for _, sink in cloud.store.documents(_SINK):
        if sink.get("disabled") or not compiled(sink.get("filter", ""))(entry):
            continue
        if any(compiled(one.get("filter", ""))(entry) for one in sink.get("exclusions", [])):
            continue
        topic, writer = sink["destination"].removeprefix(_PREFIX), sink["writerIdentity"]
        if not cloud.iam.allowed(Caller(writer, frozenset({writer})), "pubsub.topics.publish", topic):
            continue
        if cloud.store.get("pubsub.topic", topic) is not None:
            attributes = {"logging.googleapis.com/timestamp": entry["timestamp"]}
            publish(cloud, topic, json.dumps(entry).encode(), attributes)


plain_source(_SINK)
