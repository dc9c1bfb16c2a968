"""One message on its way to one subscription: waiting, out, acknowledged, given up.

Rules
- A delivery is a row from publish to acknowledgement, so it outlives the process. What was out by
  push when the process died is pushed again; what was out by pull comes back when its deadline
  passes.
- "Out" ends by acknowledgement or by failure (a bad push answer, deadline 0, a missed deadline).
- After a failure the next attempt waits: by the retry policy (minimum, doubling, maximum); without
  one not at all for pull, and 100 ms doubling to 60 s for push.
- After `maxDeliveryAttempts` failures the message goes to the dead-letter topic, if Pub/Sub's agent
  may publish there; if it may not, delivery goes on as on Google.
- Messages older than the subscription's retention are dropped. Order is not promised (ordering keys
  are carried).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from localcloud.doors.pubsub_filter import passes
from localcloud.identity.tokens import Caller
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud, on_start
from localcloud.world.events import provides_messages

Json = dict[str, Any]

TOPIC = "pubsub.topic"
SUBSCRIPTION = "pubsub.subscription"
DELIVERY = "pubsub.delivery"  # name: subscription#number
_LONGEST_PUSH_WAIT_S = 60.0


@provides_messages
def publish(
    cloud: Cloud, topic: str, data: bytes, attributes: Mapping[str, str], ordering_key: str = ""
) -> str:
    """Give a message to every subscription of the topic whose filter lets it through; its id."""
    with cloud.store.transaction():
        if cloud.store.get(TOPIC, topic) is None:
            raise KeyError(topic)
        number = str(cloud.store.next_number("pubsub.message", 10_000_000_001))
        message: Json = {
            "messageId": number,
            "publishTime": cloud.clock.timestamp(),
            "data": base64.b64encode(data).decode(),
            "attributes": dict(attributes),
        }
        if ordering_key:
            message["orderingKey"] = ordering_key
        for name, subscription in cloud.store.documents(SUBSCRIPTION):
            if subscription["topic"] == topic and passes(subscription.get("filter", ""), attributes):
                _enqueue(cloud, name, subscription, message)
                if cloud.weather.happens("twice"):
                    _enqueue(cloud, name, subscription, message)
    return number


def claim(cloud: Cloud, name: str) -> Json | None:
    """Send a delivery out if it is ready; None if it is not, or is gone."""
    with cloud.store.transaction():
        delivery = cloud.store.get(DELIVERY, name)
        if delivery is None or delivery["until"] > cloud.clock.now():
            return None
        subscription = _subscription(cloud, delivery)
        published = datetime.fromisoformat(delivery["message"]["publishTime"]).timestamp()
        if cloud.clock.now() - published > float(subscription["messageRetentionDuration"].rstrip("s")):
            cloud.store.delete(DELIVERY, name)
            return None
        delivery["attempt"] += 1
        _lease(cloud, delivery, subscription["ackDeadlineSeconds"])
    return delivery


def ready(cloud: Cloud, subscription: str, limit: int) -> list[Json]:
    """Claim up to `limit` deliveries for a pull."""
    with cloud.store.transaction():
        names = [name for name, _ in cloud.store.documents(DELIVERY, f"{subscription}#")]
        claimed: list[Json] = []
        for name in names:
            delivery = claim(cloud, name) if len(claimed) < limit else None
            if delivery is not None:
                claimed.append(delivery)
    return claimed


def acknowledged(cloud: Cloud, name: str, attempt: int) -> None:
    """The message arrived: forget the delivery. A late acknowledgement of an earlier attempt counts too."""
    with cloud.store.transaction():
        delivery = cloud.store.get(DELIVERY, name)
        if delivery is not None and delivery["attempt"] >= attempt:
            _end_lease(cloud, delivery)
            cloud.store.delete(DELIVERY, name)


def extended(cloud: Cloud, name: str, attempt: int, seconds: int) -> None:
    """Move the deadline of an attempt under way; 0 means that it failed."""
    if seconds == 0:
        failed(cloud, name, attempt)
        return
    with cloud.store.transaction():
        delivery = cloud.store.get(DELIVERY, name)
        if delivery is not None and delivery["state"] == "out" and delivery["attempt"] == attempt:
            _end_lease(cloud, delivery)
            _lease(cloud, delivery, seconds)


def failed(cloud: Cloud, name: str, attempt: int) -> None:
    """This attempt came to nothing: plan the next one, or give the message up."""
    with cloud.store.transaction():
        delivery = cloud.store.get(DELIVERY, name)
        if delivery is None or delivery["state"] != "out" or delivery["attempt"] != attempt:
            return
        _end_lease(cloud, delivery)
        subscription = _subscription(cloud, delivery)
        if _given_up(cloud, subscription, delivery):
            cloud.store.delete(DELIVERY, name)
            return
        wait = _wait_s(subscription, attempt)
        _make_ready(cloud, delivery, subscription, wait)


def _enqueue(cloud: Cloud, name: str, subscription: Json, message: Json) -> None:
    number = cloud.store.next_number("pubsub.delivery")
    delivery = {
        "name": f"{name}#{number:012d}",
        "subscription": name,
        "message": message,
        "attempt": 0,
    }
    _make_ready(cloud, delivery, subscription, cloud.weather.seconds("event"))


def _make_ready(cloud: Cloud, delivery: Json, subscription: Json, wait: float) -> None:
    delivery.update(state="waiting", until=cloud.clock.now() + wait)
    cloud.store.put(DELIVERY, delivery["name"], delivery)
    if subscription.get("pushConfig", {}).get("pushEndpoint"):
        cloud.beat.later(wait, "pubsub.push", {"name": delivery["name"]})
    with news(cloud):
        news(cloud).notify_all()


def news(cloud: Cloud) -> threading.Condition:
    """Notified when a delivery became ready (or soon will): for pulls that wait."""
    condition: threading.Condition = cloud.live.setdefault("pubsub.news", threading.Condition())
    return condition


def _lease(cloud: Cloud, delivery: Json, seconds: float) -> None:
    until = cloud.clock.now() + seconds
    payload = {"name": delivery["name"], "attempt": delivery["attempt"]}
    due = cloud.store.later(until, "pubsub.expired", payload)
    delivery.update(state="out", until=until, due=due)
    cloud.store.put(DELIVERY, delivery["name"], delivery)


def _end_lease(cloud: Cloud, delivery: Json) -> None:
    if "due" in delivery:
        cloud.store.done(delivery.pop("due"))


def _wait_s(subscription: Json, attempt: int) -> float:
    policy = subscription.get("retryPolicy")
    if policy is not None:
        least = float(policy.get("minimumBackoff", "10s").rstrip("s"))
        most = float(policy.get("maximumBackoff", "600s").rstrip("s"))
        return min(most, least * 2.0 ** min(attempt - 1, 30))
    if subscription.get("pushConfig", {}).get("pushEndpoint"):
        return min(_LONGEST_PUSH_WAIT_S, 0.1 * 2.0 ** min(attempt - 1, 30))
    return 0.0


def _given_up(cloud: Cloud, subscription: Json, delivery: Json) -> bool:
    policy = subscription.get("deadLetterPolicy")
    if policy is None or delivery["attempt"] < policy["maxDeliveryAttempts"]:
        return False
    topic, message = policy["deadLetterTopic"], delivery["message"]
    member = f"serviceAccount:service-{cloud.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    agent = Caller(member, frozenset({member}))
    if not cloud.iam.allowed(agent, "pubsub.topics.publish", topic):
        return False
    source = subscription["name"]
    attributes = {
        **message["attributes"],
        "CloudPubSubDeadLetterSourceSubscription": source.rpartition("/")[2],
        "CloudPubSubDeadLetterSourceSubscriptionProject": source.split("/")[1],
        "CloudPubSubDeadLetterSourceDeliveryCount": str(delivery["attempt"]),
        "CloudPubSubDeadLetterSourceTopicPublishTime": message["publishTime"],
    }
    try:
        publish(cloud, topic, base64.b64decode(message["data"]), attributes)
    except KeyError:
        return False
    return True


def _subscription(cloud: Cloud, delivery: Json) -> Json:
    found = cloud.store.get(SUBSCRIPTION, delivery["subscription"])
    assert found is not None  # noqa: S101 - it takes its deliveries along
    return found


@task("pubsub.expired", awaited=False)
def _expired(cloud: Cloud, payload: Json) -> None:
    failed(cloud, payload["name"], payload["attempt"])


@on_start
def _take_up(cloud: Cloud) -> None:
    """Whatever was being pushed when the process ended is pushed again at once."""
    with cloud.store.transaction():
        for _, delivery in cloud.store.documents(DELIVERY):
            subscription = _subscription(cloud, delivery)
            if delivery["state"] == "out" and subscription.get("pushConfig", {}).get("pushEndpoint"):
                _end_lease(cloud, delivery)
                _make_ready(cloud, delivery, subscription, 0.0)
