"""Subscriptions: made, read, listed, deleted; pull, acknowledge, move the deadline.

Rules
- A subscription sees what is published after it was made.
- The ack deadline is 10 to 600 seconds; a dead letter takes 5 to 100 attempts.
- Attaching needs `pubsub.topics.attachSubscription`; an identity for push needs
  `iam.serviceAccounts.actAs` on it.
- Ordering, exactly-once, BigQuery and Storage subscriptions are refused: the stand-in would only
  pretend.
"""

from __future__ import annotations

import base64
import re
import time
from typing import Any

from localcloud.doors import Call, door, project, require, shown
from localcloud.doors.errors import invalid
from localcloud.doors.paging import page
from localcloud.doors.pubsub_deliveries import (
    DELIVERY,
    SUBSCRIPTION,
    TOPIC,
    acknowledged,
    extended,
    news,
    ready,
)
from localcloud.doors.pubsub_filter import parse
from localcloud.doors.pubsub_topics import check_name, made, refuse, the_document
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

Json = dict[str, Any]

_KEPT = (
    "deadLetterPolicy",
    "expirationPolicy",
    "filter",
    "labels",
    "pushConfig",
    "retainAckedMessages",
    "retryPolicy",
)
_REFUSED = (
    "bigqueryConfig",
    "cloudStorageConfig",
    "enableExactlyOnceDelivery",
    "enableMessageOrdering",
    "messageTransforms",
)
_LONGEST_PULL_S = 3.0
_LOCAL = re.compile(r"http://(127\.0\.0\.1|localhost)[:/].*")


@door("pubsub.projects.subscriptions.create", "pubsub.subscriptions.create", on=project)
def create(cloud: Cloud, call: Call) -> Json:
    """Make a subscription."""
    body, name = call.body, call.params["name"]
    check_name(name)
    refuse(body, _REFUSED)
    topic = str(body.get("topic", ""))
    the_document(cloud, TOPIC, topic)
    require(cloud, call, "pubsub.topics.attachSubscription", topic)
    parse(body.get("filter", ""))
    deadline = body.get("ackDeadlineSeconds") or 10
    if not 10 <= deadline <= 600:
        raise invalid(f"ackDeadlineSeconds: got {deadline}, expected 10 to 600")
    subscription: Json = {
        "name": name,
        "topic": topic,
        "ackDeadlineSeconds": deadline,
        "messageRetentionDuration": body.get("messageRetentionDuration") or "604800s",
        "expirationPolicy": {"ttl": "2678400s"},
        "pushConfig": {},
        "state": "ACTIVE",
        **{key: body[key] for key in _KEPT if body.get(key) is not None},  # {}: never expires
    }
    _check_push(cloud, call, subscription["pushConfig"])
    _check_dead_letter(subscription)
    return made(cloud, SUBSCRIPTION, subscription)


@door("pubsub.projects.subscriptions.get", "pubsub.subscriptions.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One subscription."""
    return shown(the_document(cloud, SUBSCRIPTION, call.params["subscription"]))


@door("pubsub.projects.subscriptions.list", "pubsub.subscriptions.list", on=project)
def list_subscriptions(cloud: Cloud, call: Call) -> Json:
    """The project's subscriptions."""
    rows = cloud.store.documents(SUBSCRIPTION, f"{call.params['project']}/")
    return page(call, "subscriptions", [(name, shown(body)) for name, body in rows])


@door("pubsub.projects.subscriptions.delete", "pubsub.subscriptions.delete")
def delete(cloud: Cloud, call: Call) -> Json:
    """Delete a subscription and what waits in it."""
    name = call.params["subscription"]
    the_document(cloud, SUBSCRIPTION, name)
    cloud.store.delete(SUBSCRIPTION, name)
    for delivery, _ in cloud.store.documents(DELIVERY, f"{name}#"):
        cloud.store.delete(DELIVERY, delivery)
    return {}


@door("pubsub.projects.subscriptions.pull", "pubsub.subscriptions.consume", atomic=False)
def pull(cloud: Cloud, call: Call) -> Json:
    """Up to `maxMessages` messages; waits a moment for the first one."""
    name, limit = call.params["subscription"], call.body.get("maxMessages", 0)
    the_document(cloud, SUBSCRIPTION, name)
    if limit < 1:
        raise invalid(f"maxMessages: got {limit}, expected 1 or more")
    end = time.monotonic() + (0 if call.body.get("returnImmediately") else _LONGEST_PULL_S)
    claimed = ready(cloud, name, limit)
    while not claimed and (left := end - time.monotonic()) > 0:
        with news(cloud):
            news(cloud).wait(min(left, 0.1))
        claimed = ready(cloud, name, limit)
    counted = "deadLetterPolicy" in (cloud.store.get(SUBSCRIPTION, name) or {})
    return {"receivedMessages": [_received(delivery, counted) for delivery in claimed]}


@door("pubsub.projects.subscriptions.acknowledge", "pubsub.subscriptions.consume")
def acknowledge(cloud: Cloud, call: Call) -> Json:
    """The messages arrived."""
    the_document(cloud, SUBSCRIPTION, call.params["subscription"])
    for name, attempt in _ack_ids(call):
        acknowledged(cloud, name, attempt)
    return {}


@door("pubsub.projects.subscriptions.modifyAckDeadline", "pubsub.subscriptions.consume")
def modify_ack_deadline(cloud: Cloud, call: Call) -> Json:
    """More time (up to 600 s), or 0: deliver again."""
    the_document(cloud, SUBSCRIPTION, call.params["subscription"])
    seconds = call.body.get("ackDeadlineSeconds", 0)
    if not 0 <= seconds <= 600:
        raise invalid(f"ackDeadlineSeconds: got {seconds}, expected 0 to 600")
    for name, attempt in _ack_ids(call):
        extended(cloud, name, attempt, seconds)
    return {}


def _received(delivery: Json, counted: bool) -> Json:
    ack_id = base64.urlsafe_b64encode(f"{delivery['name']}|{delivery['attempt']}".encode()).decode()
    answer = {"ackId": ack_id, "message": delivery["message"]}
    return {**answer, "deliveryAttempt": delivery["attempt"]} if counted else answer


def _ack_ids(call: Call) -> list[tuple[str, int]]:
    found = []
    for ack_id in call.body.get("ackIds", []):
        try:
            name, _, attempt = base64.urlsafe_b64decode(ack_id).decode().rpartition("|")
            found.append((name, int(attempt)))
        except ValueError as error:
            raise invalid(f"You have passed an invalid ack ID to the service (ack_id={ack_id}).") from error
    if not found:
        raise invalid("ackIds: required")
    return found


def _check_push(cloud: Cloud, call: Call, config: Json) -> None:
    refuse(config, ("noWrapper", "attributes"))
    endpoint = config.get("pushEndpoint")
    if endpoint and not (endpoint.startswith("https://") or _LOCAL.fullmatch(endpoint)):
        raise invalid(f"pushConfig.pushEndpoint: got {endpoint!r}, expected https:// (or the loopback)")
    email = config.get("oidcToken", {}).get("serviceAccountEmail")
    if email:
        account = f"projects/{cloud.project}/serviceAccounts/{email}"
        require(cloud, call, "iam.serviceAccounts.actAs", account)


def _check_dead_letter(subscription: Json) -> None:
    policy = subscription.get("deadLetterPolicy")
    if policy is None:
        return
    attempts = policy.setdefault("maxDeliveryAttempts", 5)
    if not 5 <= attempts <= 100:
        raise invalid(f"deadLetterPolicy.maxDeliveryAttempts: got {attempts}, expected 5 to 100")
    if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", policy.get("deadLetterTopic", "")):
        raise invalid("deadLetterPolicy.deadLetterTopic: expected projects/P/topics/T")


plain_source(SUBSCRIPTION, "_created")
