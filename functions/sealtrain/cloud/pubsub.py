"""Pub/Sub: publish, one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealtrain.cloud.failures import ours
from sealtrain.cloud.patience import briefly
from sealtrain.rules.settings import Settings


class PubSub:
    """Topics, by the plain client: one message, one call, no batching thread."""

    def __init__(self, settings: Settings, credentials: Any = None) -> None:
        from google.pubsub_v1.services.publisher import PublisherClient

        options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
        self._client: Any = PublisherClient(credentials=credentials, transport="rest", client_options=options)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """Publish one message to a topic (full name); give its id."""
        with ours(topic):
            answer = self._client.publish(
                topic=topic, messages=[{"data": data, "attributes": dict(attributes or {})}], **briefly()
            )
            return str(answer.message_ids[0])
