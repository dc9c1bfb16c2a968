"""Topics: made, read, listed, deleted, published to."""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Call, door, project, shown
from localcloud.doors.errors import ApiError, already_exists, invalid
from localcloud.doors.kms_material import from_base64
from localcloud.doors.kms_use import check_grant
from localcloud.doors.paging import page
from localcloud.doors.pubsub_deliveries import SUBSCRIPTION, TOPIC, publish
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

Json = dict[str, Any]

NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_KEPT = ("labels", "kmsKeyName", "messageRetentionDuration", "messageStoragePolicy")
_REFUSED = ("schemaSettings", "ingestionDataSourceSettings", "messageTransforms")
_MOST_BYTES = 10_000_000


@door("pubsub.projects.topics.create", "pubsub.topics.create", on=project)
def create(cloud: Cloud, call: Call) -> Json:
    """Make a topic."""
    name = call.params["name"]
    check_name(name)
    refuse(call.body, _REFUSED)
    topic = {"name": name, **{key: call.body[key] for key in _KEPT if key in call.body}}
    if "kmsKeyName" in topic:
        agent = f"service-{cloud.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
        check_grant(cloud, topic["kmsKeyName"], agent, None, "Cloud Pub/Sub")
    return made(cloud, TOPIC, topic)


@door("pubsub.projects.topics.get", "pubsub.topics.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One topic."""
    return shown(the_document(cloud, TOPIC, call.params["topic"]))


@door("pubsub.projects.topics.list", "pubsub.topics.list", on=project)
def list_topics(cloud: Cloud, call: Call) -> Json:
    """The project's topics."""
    rows = cloud.store.documents(TOPIC, f"{call.params['project']}/")
    return page(call, "topics", [(name, shown(body)) for name, body in rows])


@door("pubsub.projects.topics.delete", "pubsub.topics.delete")
def delete(cloud: Cloud, call: Call) -> Json:
    """Delete a topic; its subscriptions stay, without one."""
    name = call.params["topic"]
    the_document(cloud, TOPIC, name)
    cloud.store.delete(TOPIC, name)
    for key, subscription in cloud.store.documents(SUBSCRIPTION):
        if subscription["topic"] == name:
            cloud.store.put(SUBSCRIPTION, key, {**subscription, "topic": "_deleted-topic_"})
    return {}


@door("pubsub.projects.topics.publish", "pubsub.topics.publish")
def publish_(cloud: Cloud, call: Call) -> Json:
    """Publish up to 1,000 messages."""
    topic, messages = call.params["topic"], call.body.get("messages", [])
    the_document(cloud, TOPIC, topic)
    if not 1 <= len(messages) <= 1000:
        raise invalid(f"messages: got {len(messages)}, expected 1 to 1000")
    ids, size = [], 0
    for message in messages:
        data = from_base64(message.get("data") or "")
        attributes = message.get("attributes") or {}
        if not data and not attributes:
            raise invalid("The request contains an empty message: it needs data or an attribute.")
        size += len(data)
        if size > _MOST_BYTES:
            raise invalid(f"messages: more than {_MOST_BYTES} bytes")
        ids.append(publish(cloud, topic, data, attributes, message.get("orderingKey", "")))
    return {"messageIds": ids}


def check_name(name: str) -> None:
    """Raise 400 for an id that no topic or subscription can have."""
    if not NAME.fullmatch(name.rpartition("/")[2]):
        raise invalid(f"Invalid resource name given (name={name}): 3 to 255 of letters, digits and -._~+%")


def refuse(body: Json, fields: tuple[str, ...]) -> None:
    """Raise 501 for a field that the stand-in would have to ignore."""
    for field in fields:
        if body.get(field):
            raise ApiError(501, f"{field}: the stand-in does not imitate it")


def made(cloud: Cloud, kind: str, body: Json) -> Json:
    """The topic or subscription, now in the store; 409 if its name is taken."""
    if not cloud.store.create(kind, body["name"], {**body, "_created": cloud.clock.timestamp()}):
        raise already_exists(f"Resource (resource={body['name'].rpartition('/')[2]})")
    return body


def the_document(cloud: Cloud, kind: str, name: str) -> Json:
    """The topic or subscription, or 404."""
    found = cloud.store.get(kind, name)
    if found is None:
        raise ApiError(404, f"Resource not found (resource={name.rpartition('/')[2]}).")
    return found


plain_source(TOPIC, "_created")
