"""The weather: drawn from a seed, kept over restarts, felt by operations, lists, grants and events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from google.api_core.exceptions import Forbidden

from localcloud.world.cloud import Cloud
from localcloud.world.weather import CHANCES, GENTLE, HARSH, SECONDS
from tests.localcloud.conftest import World, eventually, start
from tests.localcloud.machine.instances import client, insert, instance, status, wait
from tests.localcloud.receiver import receiving

P = "projects/demo-project"


@pytest.fixture
def stormy(tmp_path: Path) -> Iterator[World]:
    """A stand-in of its own in harsh weather."""
    world = start(tmp_path)
    world.cloud.weather.change(HARSH, 7, {})
    yield world
    world.server.stop()


def draws(cloud: Cloud) -> list[object]:
    """The next two of every kind."""
    seconds = [cloud.weather.seconds(kind) for kind in SECONDS for _ in range(2)]
    return [*seconds, *(cloud.weather.happens(kind) for kind in CHANCES for _ in range(20))]


def test_a_seed_gives_the_same_weather_again(tmp_path: Path) -> None:
    """The n-th thing of a kind takes as long in any world with that seed; another seed differs."""
    one, two = Cloud(tmp_path / "one"), Cloud(tmp_path / "two")
    one.weather.change(HARSH, 7, {})
    two.weather.change(HARSH, 7, {})
    first = draws(one)
    assert draws(two) == first
    two.weather.change(HARSH, 8, {})
    assert draws(two) != first


def test_a_restart_goes_on_in_the_row(tmp_path: Path) -> None:
    """After a kill the next draw is the next, not the first again."""
    one, two = Cloud(tmp_path / "one"), Cloud(tmp_path / "two")
    for cloud in (one, two):
        cloud.weather.change(HARSH, 7, {})
        draws(cloud)
    assert draws(Cloud(tmp_path / "one")) == draws(two)


def test_gentle_weather_is_short_and_nothing_goes_wrong(tmp_path: Path) -> None:
    """A demonstration meets no chance at all."""
    weather = Cloud(tmp_path).weather
    assert weather.name == GENTLE
    assert not any(weather.happens(kind) for kind in CHANCES for _ in range(50))
    assert all(weather.longest(kind) <= 1 for kind in SECONDS if kind != "preemption")


def test_the_control_door_changes_it_and_names_what_it_does_not_know(stormy: World) -> None:
    """Name, seed and exact times; anything else is a 400 with the field."""
    url = f"{stormy.cloud.endpoint}/_control/weather"
    exactly = {"name": "harsh", "seed": 3, "exactly": {"boot": 9.5}}
    assert requests.post(url, json=exactly, timeout=5).json() == exactly
    assert requests.get(url, timeout=5).json() == exactly
    assert stormy.cloud.weather.seconds("boot") == 9.5
    wrong_ones: list[dict[str, object]] = [{"name": "mild"}, {"seed": 1}, {"name": "harsh", "seed": "x"}]
    wrong_ones += [{"name": "harsh", "exactly": wrong} for wrong in ({"snow": 1}, {"boot": -1}, [])]
    wrong_ones.append({"name": "harsh", "wind": 1})
    for wrong in wrong_ones:
        assert requests.post(url, json=wrong, timeout=5).status_code == 400, wrong


def test_a_grant_takes_time_to_spread(stormy: World) -> None:
    """Until then the policy before it counts, though the new one is what get shows."""
    stormy.cloud.weather.change(HARSH, 7, {"grant": 420})
    clock, member = stormy.cloud.clock, stormy.member("reader")
    clock.leap(False)
    clock.freeze()
    policy = {"bindings": [{"role": "roles/storage.admin", "members": [member]}]}
    url = f"{stormy.cloud.endpoint}/v3/{P}:setIamPolicy"
    before = stormy.cloud.iam.policy(P)["bindings"]
    policy["bindings"] += before
    requests.post(url, json={"policy": policy}, timeout=5).raise_for_status()
    assert stormy.cloud.iam.policy(P)["bindings"] == policy["bindings"]
    reader = stormy.storage("reader")
    with pytest.raises(Forbidden):
        list(reader.list_buckets())
    clock.advance(421)
    assert list(stormy.storage("reader").list_buckets()) == []


def test_a_new_instance_is_late_in_lists_but_found_by_name(stormy: World) -> None:
    """Lists lag by up to half a minute; a get does not."""
    stormy.cloud.weather.change(HARSH, 7, {"list": 30, "boot": 1000})
    clock = stormy.cloud.clock
    clock.leap(False)
    clock.freeze()
    insert(stormy, instance(stormy, "late"))
    instances = client(stormy, "Instances")
    place = {"project": "demo-project", "zone": "us-central1-a"}

    def listed() -> list[str]:
        return [one.name for one in instances.list(**place)]

    assert instances.get(instance="late", **place).name == "late"
    assert listed() == []
    scopes = instances.aggregated_list(project="demo-project")
    assert [one.name for _, scope in scopes for one in scope.instances] == []
    clock.advance(31)
    assert listed() == ["late"]


def test_a_spot_instance_is_taken_away(stormy: World) -> None:
    """At a drawn moment it ends as `instanceTerminationAction` says, with an operation that tells why."""
    weather, clock = stormy.cloud.weather, stormy.cloud.clock
    exactly = {"boot": 0.1, "delete": 0.1, "preemption": 600}
    for seed in range(20):
        weather.change(HARSH, seed, exactly)
        if weather.happens("preempted") and not weather.happens("stockout"):
            weather.change(HARSH, seed, exactly)  # the first draws again
            break
    clock.leap(False)
    spot = instance(stormy, "spot")
    spot["scheduling"] = {
        "provisioning_model": "SPOT",
        "on_host_maintenance": "TERMINATE",
        "instance_termination_action": "DELETE",
    }
    insert(stormy, spot)
    eventually(lambda: status(stormy, "spot") == "RUNNING", 20)
    clock.advance(601)
    place = {"project": "demo-project", "zone": "us-central1-a"}
    eventually(lambda: not list(client(stormy, "Instances").list(**place)), 20)
    told = [one.operation_type for one in client(stormy, "ZoneOperations").list(**place)]
    assert "compute.instances.preempted" in told


def test_a_zone_without_room_refuses_an_instance(stormy: World) -> None:
    """The insert is accepted; its operation then fails as a stock-out, and there is no instance."""
    weather = stormy.cloud.weather
    for seed in range(20):
        weather.change(HARSH, seed, {"boot": 0.1})
        if weather.happens("stockout"):
            weather.change(HARSH, seed, {"boot": 0.1})
            break
    done = wait(stormy, insert(stormy, instance(stormy, "nowhere")))
    assert [one.code for one in done.error.errors] == ["ZONE_RESOURCE_POOL_EXHAUSTED"]


def test_events_come_twice_and_out_of_order(stormy: World) -> None:
    """Of thirty messages some arrive twice, under one id, and not in the order of their publishing."""
    with receiving() as receiver:
        topic, subscription = f"{P}/topics/storm", f"{P}/subscriptions/storm"
        push = {"topic": topic, "pushConfig": {"pushEndpoint": receiver.url}, "ackDeadlineSeconds": 10}
        requests.put(f"{stormy.cloud.endpoint}/v1/{topic}", json={}, timeout=5).raise_for_status()
        answer = requests.put(f"{stormy.cloud.endpoint}/v1/{subscription}", json=push, timeout=5)
        answer.raise_for_status()
        messages = {"messages": [{"data": "eA=="} for _ in range(30)]}
        url = f"{stormy.cloud.endpoint}/v1/{topic}:publish"
        ids = requests.post(url, json=messages, timeout=5).json()["messageIds"]
        arrived: Callable[[], list[str]] = lambda: [m["messageId"] for m in receiver.messages()]  # noqa: E731
        eventually(lambda: set(arrived()) == set(ids) and len(arrived()) > 30, 20)
        first_seen = list(dict.fromkeys(arrived()))
        assert first_seen != sorted(first_seen)
