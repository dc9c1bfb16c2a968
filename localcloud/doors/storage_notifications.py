"""Notifications: a bucket tells a Pub/Sub topic about its objects.

Rules
- The storage agent must be allowed to publish to the topic when the notification is made.
- Each change is one message: attributes say what happened to which generation, the data is the
  object's resource (JSON_API_V1) or nothing (NONE).
"""

from __future__ import annotations

import json
from typing import Any

from localcloud.doors import Answer, Call, door
from localcloud.doors.errors import ApiError, invalid, not_found
from localcloud.doors.storage_names import agent, bucket_for
from localcloud.identity.tokens import Caller
from localcloud.world.cloud import Cloud
from localcloud.world.events import (
    ARCHIVED,
    DELETED,
    FINALIZED,
    METADATA_UPDATED,
    on_object,
    publish,
)
from localcloud.world.inventory import inventory_source

Json = dict[str, Any]

_KIND = "storage.notification"  # name: bucket/id
_TYPES = {
    FINALIZED: "OBJECT_FINALIZE",
    DELETED: "OBJECT_DELETE",
    ARCHIVED: "OBJECT_ARCHIVE",
    METADATA_UPDATED: "OBJECT_METADATA_UPDATE",
}
_PREFIX = "//pubsub.googleapis.com/"


@door("storage.notifications.insert", None)
def insert(cloud: Cloud, call: Call) -> Json:
    """Begin to tell a topic."""
    bucket = bucket_for(cloud, call, "storage.buckets.update")
    topic = str(call.body.get("topic", ""))
    if not topic.startswith(_PREFIX + "projects/"):
        raise invalid(f"topic: got {topic!r}, expected {_PREFIX}projects/P/topics/T")
    if call.body.get("payload_format") not in ("JSON_API_V1", "NONE"):
        raise invalid("payload_format: expected JSON_API_V1 or NONE")
    unknown = set(call.body.get("event_types", [])) - set(_TYPES.values())
    if unknown:
        raise invalid(f"event_types: got {sorted(unknown)}, expected some of {sorted(_TYPES.values())}")
    member = f"serviceAccount:{agent(cloud)}"
    name = topic.removeprefix(_PREFIX)
    if cloud.store.get("pubsub.topic", name) is None:
        raise not_found(name)
    if not cloud.iam.allowed(Caller(member, frozenset({member})), "pubsub.topics.publish", name):
        raise ApiError(
            403, f"The service account {agent(cloud)} does not have permission to publish to {name}"
        )
    number = str(cloud.store.next_number(f"storage.notification/{bucket['name']}"))
    path = f"b/{bucket['name']}/notificationConfigs/{number}"
    made = {
        **call.body,
        "kind": "storage#notification",
        "id": number,
        "etag": number,
        "selfLink": f"{cloud.endpoint}/storage/v1/{path}",
    }
    cloud.store.put(_KIND, f"{bucket['name']}/{number}", made)
    return made


@door("storage.notifications.get", None)
def get(cloud: Cloud, call: Call) -> Json:
    """One notification."""
    bucket = bucket_for(cloud, call, "storage.buckets.get")
    found = cloud.store.get(_KIND, f"{bucket['name']}/{call.params['notification']}")
    if found is None:
        raise not_found(f"notification {call.params['notification']}")
    return found


@door("storage.notifications.list", None)
def list_notifications(cloud: Cloud, call: Call) -> Json:
    """All of a bucket."""
    bucket = bucket_for(cloud, call, "storage.buckets.get")
    rows = cloud.store.documents(_KIND, f"{bucket['name']}/")
    return {"kind": "storage#notifications", "items": [body for _, body in rows]}


@door("storage.notifications.delete", None)
def delete(cloud: Cloud, call: Call) -> Answer:
    """Stop telling."""
    bucket = bucket_for(cloud, call, "storage.buckets.update")
    name = call.params["notification"]
    if not cloud.store.delete(_KIND, f"{bucket['name']}/{name}"):
        raise not_found(f"notification {name}")
    return Answer(204)


@on_object
def _tell(cloud: Cloud, event_type: str, resource: Json) -> None:
    for _, config in cloud.store.documents(_KIND, f"{resource['bucket']}/"):
        kind = _TYPES[event_type]
        wanted = config.get("event_types") or list(_TYPES.values())
        if kind not in wanted or not resource["name"].startswith(config.get("object_name_prefix", "")):
            continue
        path = f"projects/_/buckets/{resource['bucket']}/notificationConfigs/{config['id']}"
        attributes = {
            **config.get("custom_attributes", {}),
            "bucketId": resource["bucket"],
            "objectId": resource["name"],
            "objectGeneration": resource["generation"],
            "eventType": kind,
            "eventTime": cloud.clock.timestamp(),
            "notificationConfig": path,
            "payloadFormat": config["payload_format"],
        }
        data = json.dumps(resource).encode() if config["payload_format"] == "JSON_API_V1" else b""
        topic = config["topic"].removeprefix(_PREFIX)
        if cloud.store.get("pubsub.topic", topic) is not None:
            publish(cloud, topic, data, attributes)


def _inventory(cloud: Cloud) -> list[Json]:
    place = "projects/_/buckets/{}/notificationConfigs/{}"
    return [
        {"name": place.format(*name.split("/")), "labels": {}, "bills": False, "created": ""}
        for name, _ in cloud.store.documents(_KIND)
    ]


inventory_source(_KIND, _inventory)
