"""Cron schedules, and jobs through Google's discovery client."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from googleapiclient.errors import HttpError
from hypothesis import given
from hypothesis import strategies as st

from localcloud.doors import scheduler_calls
from localcloud.doors.scheduler_cron import parse
from localcloud.world.beat import TASKS
from tests.localcloud.conftest import World, eventually
from tests.localcloud.receiver import receiving

LOCATION = "projects/demo-project/locations/us-central1"
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "following"),
    [
        ("* * * * *", "UTC", "2026-01-01T00:00:30", "2026-01-01T00:01:00"),
        ("*/15 * * * *", "UTC", "2026-01-01T00:15:00", "2026-01-01T00:30:00"),
        ("0 6 * * *", "UTC", "2026-01-01T06:00:00", "2026-01-02T06:00:00"),
        ("0 0 1 * *", "UTC", "2026-01-31T12:00:00", "2026-02-01T00:00:00"),
        ("30 8-18/5 * * *", "UTC", "2026-01-01T09:00:00", "2026-01-01T13:30:00"),
        ("0 0 * * MON,3", "UTC", "2026-01-01T00:00:00", "2026-01-05T00:00:00"),
        ("0 0 * * 7", "UTC", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("0 0 13 * FRI", "UTC", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("0 0 29 FEB *", "UTC", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 6 * * *", BERLIN, "2026-07-01T00:00:00", "2026-07-01T04:00:00"),
        ("30 2 29 3 *", BERLIN, "2026-03-28T00:00:00", "2027-03-29T00:30:00"),
    ],
)
def test_next_time(schedule: str, zone: str, now: str, following: str) -> None:
    """The next time of each form of schedule, in its zone, skipping times that do not exist."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(following).replace(tzinfo=UTC)
    assert parse(schedule).after(moment, ZoneInfo(zone)) == expected


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "every 5 minutes",
        "a * * * *",
        "²/² * * * *",
    ],
)
def test_schedules_that_are_none(schedule: str) -> None:
    """What cron does not know is refused."""
    with pytest.raises(ValueError, match="got"):
        parse(schedule)


@given(st.integers(0, 59), st.integers(0, 23), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_next_time_is_later_and_fits(minute: int, hour: int, now: datetime) -> None:
    """A daily schedule's next time is within a day and reads as it was written."""
    moment = now.replace(tzinfo=UTC)
    following = parse(f"{minute} {hour} * * *").after(moment, ZoneInfo("UTC"))
    assert following is not None
    assert 0 < (following - moment).total_seconds() <= 86_400
    assert (following.minute, following.hour, following.second) == (minute, hour, 0)


def jobs(world: World) -> Any:
    """The jobs collection of the API."""
    return world.api("cloudscheduler", "v1").projects().locations().jobs()


def test_job_publishes_when_due(world: World) -> None:
    """A job publishes at each due time, not while paused, and at once when it is run."""
    topic = world.publisher().create_topic(name="projects/demo-project/topics/sweep").name
    subscription = topic.replace("topics", "subscriptions")
    world.subscriber().create_subscription(name=subscription, topic=topic)
    name = f"{LOCATION}/jobs/sweep"
    data = base64.b64encode(b"{}").decode()
    body = {"name": name, "schedule": "*/10 * * * *", "pubsubTarget": {"topicName": topic, "data": data}}
    made = jobs(world).create(parent=LOCATION, body=body).execute()
    assert made == jobs(world).get(name=name).execute()
    assert (made["state"], made["timeZone"]) == ("ENABLED", "Etc/UTC")

    def waiting() -> int:
        return len(world.cloud.store.documents("pubsub.delivery", subscription))

    for count in (1, 2):
        world.cloud.clock.advance(600)
        eventually(lambda count=count: waiting() == count)
    assert jobs(world).pause(name=name, body={}).execute()["state"] == "PAUSED"
    world.cloud.clock.advance(1200)
    jobs(world).run(name=name, body={}).execute()
    assert waiting() == 3
    assert "scheduleTime" in jobs(world).resume(name=name, body={}).execute()
    assert [job["name"] for job in jobs(world).list(parent=LOCATION).execute()["jobs"]] == [name]
    jobs(world).delete(name=name).execute()
    with pytest.raises(HttpError, match="404"):
        jobs(world).get(name=name).execute()


def test_job_calls_with_identity_and_retries(world: World) -> None:
    """An HTTP job carries an identity token for its address and repeats after an error as configured."""
    with receiving() as receiver:
        receiver.answers = [500, 200]
        email = f"scheduler@{world.cloud.project}.iam.gserviceaccount.com"
        target = {
            "uri": f"{receiver.url}/sweep",
            "body": base64.b64encode(b"{}").decode(),
            "oidcToken": {"serviceAccountEmail": email},
        }
        name = f"{LOCATION}/jobs/call"
        retry = {"retryCount": 1, "minBackoffDuration": "5s"}
        body = {"name": name, "schedule": "0 0 1 1 *", "httpTarget": target, "retryConfig": retry}
        jobs(world).create(parent=LOCATION, body=body).execute()
        jobs(world).run(name=name, body={}).execute()
        eventually(lambda: jobs(world).get(name=name).execute().get("status"))
        world.cloud.clock.advance(6)
        eventually(lambda: len(receiver.requests) == 2)
        eventually(lambda: jobs(world).get(name=name).execute()["status"] == {})
        token = receiver.requests[0][0]["Authorization"].removeprefix("Bearer ")
        assert world.cloud.tokens.verify_id_token(token, f"{receiver.url}/sweep")["email"] == email


def test_a_job_that_is_deleted_during_its_call_stays_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the call brought is not noted."""
    name = f"{LOCATION}/jobs/fleeting"
    target = {"uri": "http://127.0.0.1:9/"}
    body = {"name": name, "schedule": "0 0 1 1 *", "httpTarget": target}
    jobs(world).create(parent=LOCATION, body=body).execute()
    monkeypatch.setattr(
        scheduler_calls, "_request", lambda *_: (jobs(world).delete(name=name).execute(), 200)[1]
    )
    TASKS["cloudscheduler.call"](world.cloud, {"name": name, "attempt": 0})
    with pytest.raises(HttpError, match="404"):
        jobs(world).get(name=name).execute()


def test_job_may_carry_an_access_token_or_none(world: World) -> None:
    """OAuth gives an access token; without either there is none; nobody there is an error."""
    with receiving() as receiver:
        email = f"scheduler@{world.cloud.project}.iam.gserviceaccount.com"
        oauth = {"oauthToken": {"serviceAccountEmail": email}}
        for name, extra in (("oauth", oauth), ("open", {})):
            target = {"uri": f"{receiver.url}/{name}?x=1", "httpMethod": "POST", **extra}
            body = {"name": f"{LOCATION}/jobs/{name}", "schedule": "0 0 1 1 *", "httpTarget": target}
            jobs(world).create(parent=LOCATION, body=body).execute()
            jobs(world).run(name=f"{LOCATION}/jobs/{name}", body={}).execute()
            eventually(
                lambda name=name: (
                    jobs(world).get(name=f"{LOCATION}/jobs/{name}").execute().get("status") == {}
                )
            )
        first, second = (headers.get("Authorization") for headers, _ in receiver.requests)
        caller = world.cloud.tokens.caller(str(first).removeprefix("Bearer "))
        assert caller is not None
        assert caller.email == email
        assert second is None
    jobs(world).run(name=f"{LOCATION}/jobs/open", body={}).execute()
    eventually(lambda: "503" in str(jobs(world).get(name=f"{LOCATION}/jobs/open").execute()["status"]))


def test_job_without_its_topic_says_so(world: World) -> None:
    """A job whose topic is missing keeps the error as its status."""
    name = f"{LOCATION}/jobs/lost"
    target = {"topicName": "projects/demo-project/topics/none", "data": "e30="}
    body = {"name": name, "schedule": "0 0 1 1 *", "pubsubTarget": target}
    jobs(world).create(parent=LOCATION, body=body).execute()
    assert jobs(world).run(name=name, body={}).execute()["status"]["code"] == 5
    jobs(world).pause(name=name, body={}).execute()
    with pytest.raises(HttpError, match="PAUSED"):
        jobs(world).pause(name=name, body={}).execute()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schedule": "every day"}, "schedule"),
        ({"timeZone": "Mars/Base"}, "timeZone"),
        ({"pubsubTarget": {"topicName": "x"}}, "topicName"),
        ({"httpTarget": {"uri": "http://x"}}, "target"),
        ({"name": "x"}, "name"),
    ],
)
def test_refused_jobs(world: World, change: dict[str, Any], named: str) -> None:
    """What is wrong is named."""
    target = {"topicName": "projects/demo-project/topics/x", "data": "e30="}
    body = {"name": f"{LOCATION}/jobs/bad", "schedule": "* * * * *", "pubsubTarget": target, **change}
    with pytest.raises(HttpError, match=named):
        jobs(world).create(parent=LOCATION, body=body).execute()
