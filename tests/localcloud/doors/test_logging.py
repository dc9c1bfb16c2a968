"""Log entries, their filter language and sinks, through Google's discovery client."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from googleapiclient.errors import HttpError
from hypothesis import given
from hypothesis import strategies as st

from localcloud.doors.errors import ApiError
from localcloud.doors.logging_filter import compiled
from localcloud.world.events import deliver_log
from tests.localcloud.conftest import World

PROJECT = "projects/demo-project"
ENTRY = {
    "logName": f"{PROJECT}/logs/run.googleapis.com%2Fstdout",
    "severity": "WARNING",
    "timestamp": "2026-01-02T03:04:05.000006Z",
    "resource": {"type": "cloud_run_revision", "labels": {"service_name": "create-key"}},
    "labels": {"sealtrain.dev/run": "r1"},
    "jsonPayload": {"event": "key.created", "run": "r1", "count": 12, "fine": True, "list": ["a", "b"]},
}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        (f'logName="{PROJECT}/logs/run.googleapis.com%2Fstdout"', True),
        ('resource.type=cloud_run_revision AND resource.labels.service_name="create-key"', True),
        ('resource.type="gce_instance"', False),
        ('jsonPayload.run=r1 jsonPayload.event:"created"', True),
        ('jsonPayload.run="R1"', True),
        ("jsonPayload.run!=r1", False),
        ("jsonPayload.missing=x", False),
        ("jsonPayload.missing!=x", False),
        ("NOT jsonPayload.missing=x", True),
        ("-jsonPayload.run=r1", False),
        ("jsonPayload.count>9", True),
        ("jsonPayload.count=12.0", True),
        ("jsonPayload.count<=11", False),
        ("jsonPayload.run>9", False),
        ("jsonPayload.fine=true", True),
        ("jsonPayload.list=b", True),
        ("jsonPayload.event:*", True),
        ('jsonPayload.event=~"^key[.]"', True),
        ('jsonPayload.event!~"^key[.]"', False),
        ('labels."sealtrain.dev/run"=r1', True),
        ("severity>=WARNING", True),
        ("severity>=ERROR", False),
        ("severity=warning", True),
        ('timestamp>="2026-01-02T03:04:05Z" timestamp<"2026-01-02T04:04:06+01:00"', True),
        ('timestamp>"2026-01-02T03:04:06Z"', False),
        ("jsonPayload.run=r2 OR jsonPayload.run=r1 AND severity=INFO", False),
        ("jsonPayload.run=r1 AND severity=INFO OR severity=WARNING", True),
        ("(jsonPayload.run=r2 AND severity=INFO) OR severity=WARNING", True),
    ],
)
def test_filter(text: str, fits: bool) -> None:
    """Each form of comparison, and OR before AND."""
    assert compiled(text)(ENTRY) is fits


@pytest.mark.parametrize(
    "text",
    [
        "word",
        "a=",
        "=b",
        "(a=b",
        "(a=b(",
        "a=b)",
        'a="b',
        "severity>=LOUD",
        'timestamp>"noon"',
        'a=~"("',
        "a=b AND",
    ],
)
def test_filter_that_is_not_understood_is_refused(text: str) -> None:
    """A filter outside the grammar is 400, never ignored."""
    with pytest.raises(ApiError) as refused:
        compiled(text)
    assert refused.value.code == 400


@given(st.text())
def test_filter_never_crashes(text: str) -> None:
    """Any text either compiles or is refused."""
    try:
        compiled(text)(ENTRY)
    except ApiError as refused:
        assert refused.code == 400  # noqa: PT017 - compiling may also succeed


def write(world: World, *entries: dict[str, Any], **common: Any) -> None:
    """Write entries with a resource."""
    body = {"resource": {"type": "global"}, "entries": list(entries), **common}
    world.api("logging", "v2").entries().write(body=body).execute()


def read(world: World, text: str, **fields: Any) -> dict[str, Any]:
    """A page of entries."""
    body = {"resourceNames": [PROJECT], "filter": text, **fields}
    answer: dict[str, Any] = world.api("logging", "v2").entries().list(body=body).execute()
    return answer


def test_entries_are_written_and_listed(world: World) -> None:
    """Entries come back in order of time, completed from the request, in pages, also backward."""
    name = f"{PROJECT}/logs/listed"
    times = ["2026-01-01T00:00:02Z", "2026-01-01T00:00:00.5Z", "2026-01-01T01:00:01+01:00"]
    entries = [
        {"jsonPayload": {"n": number}, "timestamp": time, "insertId": f"i{number}"}
        for number, time in enumerate(times)
    ]
    write(world, *entries, logName=name, labels={"a": "1"})
    write(world, entries[0], logName=name)
    found = read(world, f'logName="{name}"')["entries"]
    assert [entry["jsonPayload"]["n"] for entry in found] == [1, 2, 0]
    assert found[0]["labels"] == {"a": "1"}
    assert found[0]["timestamp"] == "2026-01-01T00:00:00.500000Z"
    first = read(world, f'logName="{name}"', pageSize=2, orderBy="timestamp desc")
    assert [entry["jsonPayload"]["n"] for entry in first["entries"]] == [0, 2]
    rest = read(world, f'logName="{name}"', pageToken=first["nextPageToken"], orderBy="timestamp desc")
    assert [entry["jsonPayload"]["n"] for entry in rest["entries"]] == [1]


def test_bad_entries_are_refused(world: World) -> None:
    """No resource, a foreign project, a name that is none, a field that is none."""
    for entry in (
        {"logName": f"{PROJECT}/logs/x", "textPayload": "x"},
        {"logName": "projects/other/logs/x", "resource": {"type": "global"}},
        {"logName": "x", "resource": {"type": "global"}},
        {"logName": f"{PROJECT}/logs/x", "resource": {"type": "global"}, "payload": "x"},
    ):
        with pytest.raises(HttpError):
            world.api("logging", "v2").entries().write(body={"entries": [entry]}).execute()


def test_sink_publishes_what_fits(world: World) -> None:
    """A sink sends fitting entries to its topic once its identity may publish there."""
    topic = world.publisher().create_topic(name=f"{PROJECT}/topics/sunk").name
    subscription = f"{PROJECT}/subscriptions/sunk"
    world.subscriber().create_subscription(name=subscription, topic=topic)
    sinks = world.api("logging", "v2").projects().sinks()
    body = {
        "name": "attestation",
        "destination": f"pubsub.googleapis.com/{topic}",
        "filter": 'jsonPayload.event="token.issued"',
    }
    sink = sinks.create(parent=PROJECT, body=body, uniqueWriterIdentity=True).execute()
    assert sink["writerIdentity"].endswith("@gcp-sa-logging.iam.gserviceaccount.com")
    entry = {"logName": f"{PROJECT}/logs/a", "jsonPayload": {"event": "token.issued", "n": 1}}
    write(world, entry)
    world.grant(topic, "roles/pubsub.publisher", sink["writerIdentity"])
    deliver_log(world.cloud, {"logName": f"{PROJECT}/logs/a", "jsonPayload": {"event": "other"}})
    deliver_log(world.cloud, {**entry, "jsonPayload": {"event": "token.issued", "n": 2}})
    answer = world.api("pubsub", "v1").projects().subscriptions()
    pulled = answer.pull(subscription=subscription, body={"maxMessages": 10}).execute()
    data = [json.loads(base64.b64decode(one["message"]["data"])) for one in pulled["receivedMessages"]]
    assert [one["jsonPayload"]["n"] for one in data] == [2]
    assert sinks.get(sinkName=f"{PROJECT}/sinks/attestation").execute() == sink
    assert sinks.list(parent=PROJECT).execute()["sinks"] == [sink]
    with pytest.raises(HttpError, match="409"):
        sinks.create(parent=PROJECT, body=body).execute()
    excluding = {**body, "name": "none", "exclusions": [{"name": "all", "filter": "severity>=DEFAULT"}]}
    sinks.create(parent=PROJECT, body=excluding).execute()
    deliver_log(world.cloud, {**entry, "jsonPayload": {"event": "token.issued", "n": 3}})
    assert len(world.cloud.store.documents("pubsub.delivery", subscription)) == 2
    sinks.delete(sinkName=f"{PROJECT}/sinks/none").execute()
    sinks.delete(sinkName=f"{PROJECT}/sinks/attestation").execute()
    assert sinks.list(parent=PROJECT).execute()["sinks"] == []


def test_sink_to_elsewhere_is_refused(world: World) -> None:
    """A destination that is not imitated is 501, not silently dropped."""
    body = {"name": "x", "destination": "bigquery.googleapis.com/projects/p/datasets/d"}
    with pytest.raises(HttpError, match="destination"):
        world.api("logging", "v2").projects().sinks().create(parent=PROJECT, body=body).execute()
