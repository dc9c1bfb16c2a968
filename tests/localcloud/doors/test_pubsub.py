"""Topics, pull and push through the official clients over REST."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
)

from localcloud.doors import pubsub_push
from localcloud.doors.pubsub_deliveries import news
from localcloud.world import events
from tests.localcloud.conftest import World, eventually
from tests.localcloud.receiver import Receiver, receiving

PROJECT = "projects/demo-project"
AGENT = "serviceAccount:service-100000000001@gcp-sa-pubsub.iam.gserviceaccount.com"


def topic_of(world: World, name: str) -> str:
    """A new topic."""
    return str(world.publisher().create_topic(name=f"{PROJECT}/topics/{name}").name)


def subscribe(world: World, topic: str, **fields: Any) -> str:
    """A new subscription of the same short name."""
    name = topic.replace("/topics/", "/subscriptions/")
    request = {"name": name, "topic": topic, **fields}
    return str(world.subscriber().create_subscription(request=request).name)


def send(world: World, topic: str, *data: bytes, **attributes: str) -> list[str]:
    """Publish; the ids."""
    messages = [{"data": one, "attributes": attributes} for one in data]
    return list(world.publisher().publish(topic=topic, messages=messages).message_ids)


def pull(world: World, subscription: str, wait: bool = True) -> list[Any]:
    """What a pull gives."""
    request = {"subscription": subscription, "max_messages": 10, "return_immediately": not wait}
    return list(world.subscriber().pull(request=request).received_messages)


def test_settings_are_kept(world: World) -> None:
    """Topic and subscription are read back as they were made; names are taken once."""
    topic = topic_of(world, "kept")
    subscription = subscribe(
        world, topic, ack_deadline_seconds=60, labels={"a": "b"}, filter='attributes.kind = "x"'
    )
    read = world.subscriber().get_subscription(subscription=subscription)
    assert (read.topic, read.ack_deadline_seconds, dict(read.labels)) == (topic, 60, {"a": "b"})
    assert read.filter == 'attributes.kind = "x"'
    assert world.publisher().get_topic(topic=topic).name == topic
    assert topic in [one.name for one in world.publisher().list_topics(project=PROJECT)]
    assert subscription in [one.name for one in world.subscriber().list_subscriptions(project=PROJECT)]
    with pytest.raises(Conflict):
        topic_of(world, "kept")
    with pytest.raises(Conflict):
        subscribe(world, topic)
    with pytest.raises(NotFound):
        send(world, f"{PROJECT}/topics/missing", b"x")


def test_pull_and_acknowledge(world: World) -> None:
    """A message is pulled, acknowledged, and does not come again."""
    topic = topic_of(world, "pulled")
    subscription = subscribe(world, topic)
    ids = send(world, topic, b"one", b"two", kind="x")
    got = pull(world, subscription)
    assert [(one.message.message_id, one.message.data) for one in got] == [
        (ids[0], b"one"),
        (ids[1], b"two"),
    ]
    assert dict(got[0].message.attributes) == {"kind": "x"}
    assert pull(world, subscription, wait=False) == []
    world.subscriber().acknowledge(subscription=subscription, ack_ids=[one.ack_id for one in got])
    world.cloud.clock.advance(11)
    assert pull(world, subscription, wait=False) == []


def test_unacknowledged_messages_come_back(world: World) -> None:
    """After the ack deadline, or at once with deadline 0, a message is delivered again."""
    topic = topic_of(world, "again")
    subscription = subscribe(world, topic)
    send(world, topic, b"x")
    first = pull(world, subscription)
    world.subscriber().modify_ack_deadline(
        subscription=subscription, ack_ids=[first[0].ack_id], ack_deadline_seconds=60
    )
    world.cloud.clock.advance(30)
    assert pull(world, subscription, wait=False) == []
    world.cloud.clock.advance(31)
    second = eventually(lambda: pull(world, subscription))
    world.subscriber().modify_ack_deadline(
        subscription=subscription, ack_ids=[second[0].ack_id], ack_deadline_seconds=0
    )
    assert len(pull(world, subscription)) == 1


def test_filter(world: World) -> None:
    """Only messages with the wanted attributes are delivered; any other grammar is refused."""
    topic = topic_of(world, "filtered")
    subscription = subscribe(world, topic, filter='attributes.a = "1" AND attributes.b = "2"')
    send(world, topic, b"no", a="1")
    send(world, topic, b"yes", a="1", b="2")
    assert [one.message.data for one in pull(world, subscription)] == [b"yes"]
    with pytest.raises(MethodNotImplemented, match="filter"):
        subscribe(world, topic_of(world, "filtered-otherwise"), filter='NOT attributes.a = "1"')


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"ack_deadline_seconds": 5}, "ackDeadlineSeconds"),
        ({"push_config": {"push_endpoint": "http://example.com/"}}, "pushEndpoint"),
        ({"dead_letter_policy": {"max_delivery_attempts": 4}}, "maxDeliveryAttempts"),
        ({"enable_message_ordering": True}, "enableMessageOrdering"),
        ({"enable_exactly_once_delivery": True}, "enableExactlyOnceDelivery"),
    ],
)
def test_refused_settings(world: World, fields: dict[str, Any], named: str) -> None:
    """What is out of bounds or not imitated is refused by name."""
    name = "refused-" + named.lower()
    with pytest.raises(GoogleAPICallError, match=named):
        subscribe(world, topic_of(world, name), **fields)


def test_pull_waits_for_the_first_message(world: World) -> None:
    """A pull that finds nothing waits a moment, and gives what is published meanwhile."""
    topic = topic_of(world, "awaited")
    subscription = subscribe(world, topic)
    with ThreadPoolExecutor(1) as pool:
        pulled = pool.submit(pull, world, subscription)
        eventually(lambda: news(world.cloud)._waiters)  # type: ignore[attr-defined]
        world.publisher().publish(topic=topic, messages=[{"data": b"x", "ordering_key": "k"}])
        assert [one.message.ordering_key for one in pulled.result(10)] == ["k"]


def test_old_messages_are_dropped(world: World) -> None:
    """A message older than the subscription keeps messages is not delivered."""
    topic = topic_of(world, "old")
    subscription = subscribe(world, topic, message_retention_duration={"seconds": 600})
    send(world, topic, b"x")
    world.cloud.clock.advance(601)
    assert pull(world, subscription, wait=False) == []
    assert not _waiting(world, "old")


def test_dead_letters_need_a_grant(world: World) -> None:
    """While Pub/Sub may not publish to the dead-letter topic, delivery goes on."""
    dead = topic_of(world, "dead-closed")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    topic = topic_of(world, "stubborn")
    subscription = subscribe(world, topic, dead_letter_policy=policy)
    send(world, topic, b"x")
    for attempt in range(1, 8):
        (got,) = pull(world, subscription)
        assert got.delivery_attempt == attempt
        world.subscriber().modify_ack_deadline(
            subscription=subscription, ack_ids=[got.ack_id], ack_deadline_seconds=0
        )


def test_unreachable_endpoint_is_tried_again(world: World) -> None:
    """An endpoint where nobody listens is a failure like any other."""
    with receiving() as receiver:
        address = receiver.url
    topic = topic_of(world, "unreachable")
    subscribe(world, topic, push_config={"push_endpoint": address})
    send(world, topic, b"x")
    eventually(lambda: (_state(world, "unreachable") or ("", 0))[1] >= 2)


def test_empty_message_is_refused(world: World) -> None:
    """A message has data or an attribute."""
    topic = topic_of(world, "nothing")
    with pytest.raises(BadRequest, match="empty"):
        send(world, topic, b"")


def push(world: World, name: str, receiver: Receiver, **fields: Any) -> str:
    """A topic that pushes to the receiver as the account "push"; the topic."""
    oidc = {"service_account_email": f"push@{world.cloud.project}.iam.gserviceaccount.com"}
    config = {"push_endpoint": f"{receiver.url}/{name}", "oidc_token": oidc}
    topic = topic_of(world, name)
    subscribe(world, topic, push_config=config, **fields)
    return topic


def test_push_carries_envelope_and_identity(world: World) -> None:
    """A message is pushed at once in Google's envelope, with a token for the endpoint; 204 ends it."""
    with receiving() as receiver:
        receiver.answers = [204]
        topic = push(world, "pushed", receiver)
        begun = time.monotonic()
        ids = send(world, topic, b'{"run": "r1"}', kind="job")
        eventually(lambda: receiver.requests)
        assert time.monotonic() - begun < 2
        headers, body = receiver.requests[0]
        message = body["message"]
        assert base64.b64decode(message["data"]) == b'{"run": "r1"}'
        assert (message["messageId"], message["attributes"]) == (ids[0], {"kind": "job"})
        assert body["subscription"] == f"{PROJECT}/subscriptions/pushed"
        token = headers["Authorization"].removeprefix("Bearer ")
        claims = world.cloud.tokens.verify_id_token(token, f"{receiver.url}/pushed")
        assert claims["email"].startswith("push@")
        with pytest.raises(jwt.InvalidAudienceError):
            world.cloud.tokens.verify_id_token(token, "https://elsewhere")
        eventually(lambda: not world.cloud.store.documents("pubsub.delivery", topic))


def test_push_is_repeated_until_it_is_acknowledged(world: World) -> None:
    """Errors and redirects lead to another attempt of the same message."""
    with receiving() as receiver:
        receiver.answers = [500, 302, 429, 200]
        topic = push(world, "repeated", receiver)
        send(world, topic, b"x")
        eventually(lambda: len(receiver.requests) == 4)
        assert len({message["messageId"] for message in receiver.messages()}) == 1
        eventually(lambda: not _waiting(world, "repeated"))


def _waiting(world: World, name: str) -> list[Any]:
    return world.cloud.store.documents("pubsub.delivery", f"{PROJECT}/subscriptions/{name}#")


def test_retry_policy_spaces_the_attempts(world: World) -> None:
    """With a retry policy the next attempt waits for the back-off, in the stand-in's time."""
    with receiving() as receiver:
        receiver.answers = [500, 500]
        policy = {"minimum_backoff": {"seconds": 100}, "maximum_backoff": {"seconds": 600}}
        topic = push(world, "spaced", receiver, retry_policy=policy)
        send(world, topic, b"x")
        eventually(lambda: _state(world, "spaced") == ("waiting", 1))
        world.cloud.clock.advance(101)
        eventually(lambda: _state(world, "spaced") == ("waiting", 2))
        world.cloud.clock.advance(101)
        assert len(receiver.requests) == 2
        world.cloud.clock.advance(101)
        eventually(lambda: len(receiver.requests) == 3)


def _state(world: World, name: str) -> tuple[str, int] | None:
    rows = _waiting(world, name)
    return (rows[0][1]["state"], rows[0][1]["attempt"]) if rows else None


def test_dead_letter(world: World) -> None:
    """After the last attempt the message goes to the dead-letter topic, once Pub/Sub may publish there."""
    dead = topic_of(world, "dead")
    letters = subscribe(world, dead)
    world.grant(dead, "roles/pubsub.publisher", AGENT)
    with receiving() as receiver:
        receiver.answers = [500] * 5
        policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
        topic = push(world, "poisoned", receiver, dead_letter_policy=policy)
        send(world, topic, b"poison", kind="x")
        eventually(lambda: not _waiting(world, "poisoned"), 10)
        assert [body["deliveryAttempt"] for _, body in receiver.requests] == [1, 2, 3, 4, 5]
    letter = pull(world, letters)[0].message
    assert letter.data == b"poison"
    assert letter.attributes["kind"] == "x"
    assert letter.attributes["CloudPubSubDeadLetterSourceSubscription"] == "poisoned"
    assert letter.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_a_message_without_a_dead_letter_topic_comes_on(restarted: Callable[[], World]) -> None:
    """The topic for dead letters was deleted: the message is delivered again instead of lost."""
    world = restarted()
    world.grant(PROJECT, "roles/pubsub.publisher", AGENT)
    dead = topic_of(world, "dead-deleted")
    topic = topic_of(world, "undying")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = subscribe(world, topic, dead_letter_policy=policy)
    world.publisher().delete_topic(topic=dead)
    send(world, topic, b"x")
    for attempt in range(1, 7):
        (got,) = pull(world, subscription)
        assert got.delivery_attempt == attempt
        world.subscriber().modify_ack_deadline(
            subscription=subscription, ack_ids=[got.ack_id], ack_deadline_seconds=0
        )


def test_a_push_under_way_at_the_stop_is_made_again(
    restarted: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it brings is not noted any more; the next start pushes again."""
    world, asked, answered = restarted(), threading.Semaphore(0), threading.Event()
    monkeypatch.setattr(pubsub_push, "_post", lambda *_: (asked.release(), answered.wait(10))[1])
    with receiving() as receiver:
        send(world, push(world, "halfway", receiver), b"x")
        assert asked.acquire(timeout=10)
        (pushing,) = [thread for thread in threading.enumerate() if thread.name == "push"]
        world = restarted()
        assert asked.acquire(timeout=10)
        answered.set()
        pushing.join(10)
        eventually(lambda: not _waiting(world, "halfway"))


def test_outstanding_push_survives_a_restart(restarted: Callable[[], World]) -> None:
    """A message whose push was under way when the process ended is pushed again by the next one."""
    world = restarted()
    with receiving() as receiver:
        receiver.answers = [500]
        policy = {"minimum_backoff": {"seconds": 600}, "maximum_backoff": {"seconds": 600}}
        topic = push(world, "durable", receiver, retry_policy=policy)
        send(world, topic, b"x")
        (name, delivery) = eventually(lambda: [r for r in _waiting(world, "durable") if r[1]["attempt"]])[0]
        eventually(lambda: _state(world, "durable") == ("waiting", 1))
        delivery = {**_waiting(world, "durable")[0][1], "state": "out"}
        world.cloud.store.put("pubsub.delivery", name, delivery)
        world = restarted()
        eventually(lambda: len(receiver.requests) == 2)
        eventually(lambda: not _waiting(world, "durable"))


def test_permissions(world: World) -> None:
    """Publishing, pulling and attaching need their grants."""
    topic = topic_of(world, "guarded")
    subscription = subscribe(world, topic)
    world.grant(topic, "roles/pubsub.publisher", world.member("publisher"))
    messages = [{"data": b"x"}]
    world.publisher("publisher").publish(topic=topic, messages=messages)
    with pytest.raises(Forbidden, match="publish"):
        world.publisher("stranger").publish(topic=topic, messages=messages)
    with pytest.raises(Forbidden, match="consume"):
        world.subscriber("publisher").pull(subscription=subscription, max_messages=1)


def test_deleted_topic_leaves_its_subscription(world: World) -> None:
    """The subscription of a deleted topic stays, without a topic; deleting it drops what waits."""
    topic = topic_of(world, "leaving")
    subscription = subscribe(world, topic)
    send(world, topic, b"x")
    world.publisher().delete_topic(topic=topic)
    read = world.subscriber().get_subscription(subscription=subscription)
    assert read.topic == "_deleted-topic_"
    world.subscriber().delete_subscription(subscription=subscription)
    assert not _waiting(world, "leaving")


def test_internal_publisher(world: World) -> None:
    """Other doors publish without a caller; a missing topic is a KeyError."""
    topic = topic_of(world, "internal")
    subscription = subscribe(world, topic)
    number = events.publish(world.cloud, topic, b"x", {"a": "1"})
    assert [one.message.message_id for one in pull(world, subscription)] == [number]
    with pytest.raises(KeyError):
        events.publish(world.cloud, f"{PROJECT}/topics/missing", b"x", {})


def test_bucket_notification(world: World) -> None:
    """A bucket with a notification tells the topic about its objects, if its agent may publish."""
    topic = topic_of(world, "objects-changed")
    subscription = subscribe(world, topic)
    bucket = world.storage().create_bucket("telling")
    config = bucket.notification("objects-changed", event_types=["OBJECT_FINALIZE"])
    with pytest.raises(Forbidden):
        config.create()
    storage_agent = AGENT.replace("gcp-sa-pubsub", "gs-project-accounts")
    world.grant(topic, "roles/pubsub.publisher", storage_agent)
    config.create()
    assert [one.notification_id for one in bucket.list_notifications()] == [config.notification_id]
    blob = bucket.blob("incoming/x")
    blob.upload_from_string(b"x")
    blob.delete()
    got = pull(world, subscription)
    assert [one.message.attributes["eventType"] for one in got] == ["OBJECT_FINALIZE"]
    assert got[0].message.attributes["objectGeneration"] == str(blob.generation)
    assert bucket.get_notification(config.notification_id).event_types == ["OBJECT_FINALIZE"]
    config.delete()
    bucket.blob("incoming/y").upload_from_string(b"y")
    assert pull(world, subscription, wait=False) == []
