"""One Pub/Sub story, the same here and on Google's own emulator (`gcloud beta emulators pubsub start`).

The emulator's part runs where PUBSUB_EMULATOR_HOST says "host:port"; elsewhere it is skipped, and says so.
"""

from __future__ import annotations

import os
import uuid

import pytest
from google.api_core.exceptions import Conflict, NotFound
from google.auth.credentials import AnonymousCredentials
from google.pubsub_v1 import PublisherClient, SubscriberClient

from tests.localcloud.conftest import World, eventually
from tests.localcloud.receiver import receiving

EMULATOR = "PUBSUB_EMULATOR_HOST"
P = "projects/demo-project"


@pytest.fixture(params=["stand-in", "emulator"])
def endpoint(
    request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Where Pub/Sub answers."""
    host = os.environ.get(EMULATOR)
    if request.param == "emulator" and not host:
        pytest.skip(f"{EMULATOR} is not set: the comparison with Google's emulator did NOT run")
    monkeypatch.delenv(EMULATOR, raising=False)  # the clients would follow it by themselves, over gRPC
    return f"http://{host}" if request.param == "emulator" else world.cloud.endpoint


def clients(endpoint: str) -> tuple[PublisherClient, SubscriberClient]:
    """The official ones, over REST, without an account."""
    options = {"api_endpoint": endpoint}
    given = {"credentials": AnonymousCredentials(), "transport": "rest", "client_options": options}
    return PublisherClient(**given), SubscriberClient(**given)


def test_pulled_messages_are_the_same_story(endpoint: str) -> None:
    """Published, pulled, refused and acknowledged; what is there twice or not at all is told alike."""
    name = f"t{uuid.uuid4().hex[:8]}"
    topic, subscription = f"{P}/topics/{name}", f"{P}/subscriptions/{name}"
    publisher, subscriber = clients(endpoint)
    publisher.create_topic(request={"name": topic})
    subscriber.create_subscription(
        request={"name": subscription, "topic": topic, "ack_deadline_seconds": 10}
    )
    with pytest.raises(Conflict):
        publisher.create_topic(request={"name": topic})
    with pytest.raises(NotFound):
        publisher.publish(request={"topic": f"{topic}x", "messages": [{"data": b"lost"}]})
    bodies = [{"data": b"%d" % number, "attributes": {"n": str(number)}} for number in range(5)]
    ids = publisher.publish(request={"topic": topic, "messages": bodies}).message_ids
    assert len(set(ids)) == 5

    def pull(wanted: int) -> dict[str, tuple[str, bytes, str]]:
        """By message id: ack id, data, attribute; as many as wanted."""
        seen: dict[str, tuple[str, bytes, str]] = {}

        def more() -> bool:
            answer = subscriber.pull(request={"subscription": subscription, "max_messages": 10})
            for one in answer.received_messages:
                message = one.message
                seen[message.message_id] = (one.ack_id, message.data, message.attributes["n"])
            return len(seen) >= wanted

        eventually(more, 20)
        return seen

    first = pull(5)
    assert {key: value[1:] for key, value in first.items()} == {
        key: (b"%d" % number, str(number)) for number, key in enumerate(ids)
    }
    kept, again = ids[:3], ids[3:]
    subscriber.acknowledge(
        request={"subscription": subscription, "ack_ids": [first[key][0] for key in kept]}
    )
    subscriber.modify_ack_deadline(
        request={
            "subscription": subscription,
            "ack_ids": [first[key][0] for key in again],
            "ack_deadline_seconds": 0,
        }
    )
    assert set(pull(2)) == set(again)
    subscriber.delete_subscription(request={"subscription": subscription})
    with pytest.raises(NotFound):
        subscriber.get_subscription(request={"subscription": subscription})
    publisher.delete_topic(request={"topic": topic})
    with pytest.raises(NotFound):
        publisher.get_topic(request={"topic": topic})


def test_pushed_messages_are_the_same_story(endpoint: str) -> None:
    """An envelope with the message and its subscription; a refused one comes again until it is taken."""
    name = f"t{uuid.uuid4().hex[:8]}"
    topic, subscription = f"{P}/topics/{name}", f"{P}/subscriptions/{name}"
    publisher, subscriber = clients(endpoint)
    publisher.create_topic(request={"name": topic})
    with receiving() as receiver:
        receiver.answers = [500]
        subscriber.create_subscription(
            request={"name": subscription, "topic": topic, "push_config": {"push_endpoint": receiver.url}}
        )
        message = {"data": b"here", "attributes": {"a": "b"}}
        (number,) = publisher.publish(request={"topic": topic, "messages": [message]}).message_ids
        eventually(lambda: len(receiver.requests) >= 2, 30)
    for _, body in receiver.requests[:2]:
        assert body["subscription"] == subscription
        assert body["message"]["messageId"] == body["message"]["message_id"] == number
        assert (body["message"]["data"], body["message"]["attributes"]) == ("aGVyZQ==", {"a": "b"})
    subscriber.delete_subscription(request={"subscription": subscription})
    publisher.delete_topic(request={"topic": topic})
