"""Tests of `cloud.pubsub` on the stand-in."""

import pytest
from sealtrain.cloud.connect import Cloud
from sealtrain.rules import names
from sealtrain.rules.errors import NotFoundError


def test_a_message_is_published_and_a_missing_topic_told(cloud: Cloud) -> None:
    """A published message has an id."""
    topics = cloud.get("pubsub")
    assert topics.publish(names.topic(cloud.settings, "job-events"), b"{}", {"run": "r"})
    with pytest.raises(NotFoundError):
        topics.publish(names.topic(cloud.settings, "nothing"), b"{}")
