"""What happens in one part of the cloud and concerns another: objects, log entries, messages.

The interface (doors call it; nobody else needs to know who listens):

- `announce_object(cloud, type, resource)`: an object was finalized, deleted, archived or had its
  metadata changed. `type` is the CloudEvent type ("google.cloud.storage.object.v1.finalized"),
  `resource` the object as the JSON API gives it (bucket, name, generation, size, … all strings).
  Called inside the transaction that made the change, so that what a listener writes
  (`cloud.beat.later(…)`) commits or vanishes with it.
- `on_object(callback)`: have `callback(cloud, type, resource)` called for each announcement, in
  that same transaction. It must not block, and must not call out: plant a task.
- `deliver_log(cloud, entry)`: a LogEntry (logging v2 JSON; `logName` and a payload at least) is
  kept and routed to the sinks.
- `publish(cloud, topic, data, attributes)`: an internal publisher (scheduler, sink, storage
  notification) publishes one message to "projects/P/topics/T"; returns the message id. Raises
  KeyError if there is no such topic.

Every function may be called inside or outside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from localcloud.world.cloud import Cloud

Json = dict[str, Any]
ObjectListener = Callable[[Cloud, str, Json], None]

FINALIZED = "google.cloud.storage.object.v1.finalized"
DELETED = "google.cloud.storage.object.v1.deleted"
ARCHIVED = "google.cloud.storage.object.v1.archived"
METADATA_UPDATED = "google.cloud.storage.object.v1.metadataUpdated"


class Publisher(Protocol):
    """What Pub/Sub provides."""

    def __call__(self, cloud: Cloud, topic: str, data: bytes, attributes: Mapping[str, str]) -> str: ...


PublisherKind = TypeVar("PublisherKind", bound=Publisher)
LogKeeper = Callable[[Cloud, Json], None]

_OBJECT_LISTENERS: list[ObjectListener] = []
_PUBLISHERS: list[Publisher] = []
_LOG_KEEPERS: list[LogKeeper] = []


def on_object(callback: ObjectListener) -> ObjectListener:
    """Call `callback(cloud, type, resource)` for every announced object (usable as a decorator)."""
    _OBJECT_LISTENERS.append(callback)
    return callback


def announce_object(cloud: Cloud, event_type: str, resource: Json) -> None:
    """Tell every listener, inside the caller's transaction."""
    with cloud.store.transaction():
        for listener in _OBJECT_LISTENERS:
            listener(cloud, event_type, resource)


def provides_logs(keeper: LogKeeper) -> LogKeeper:
    """Mark the function that keeps log entries (the logging door's)."""
    _LOG_KEEPERS.append(keeper)
    return keeper


def deliver_log(cloud: Cloud, entry: Json) -> None:
    """Keep a log entry and route it to the sinks that want it."""
    for keeper in _LOG_KEEPERS:
        keeper(cloud, entry)


def provides_messages(publisher: PublisherKind) -> PublisherKind:
    """Mark the function that publishes messages (the Pub/Sub door's)."""
    _PUBLISHERS.append(publisher)
    return publisher


def publish(cloud: Cloud, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
    """Publish one message; its id. Raises KeyError if the topic does not exist."""
    return _PUBLISHERS[0](cloud, topic, data, attributes)
