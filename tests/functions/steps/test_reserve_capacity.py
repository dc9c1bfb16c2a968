"""Tests of `steps.reserve_capacity`."""

from datetime import timedelta

import pytest
from sealtrain.rules.errors import ConflictError, StockOutError
from sealtrain.steps import reserve_capacity

from tests.functions.memory import DiedError, World

RESERVATION = b"machine: {mode: reservation}"
FLEX = b"machine: {shape: a3-highgpu-1g, mode: flex-start}"


def test_on_demand_reserves_nothing() -> None:
    """No call to Compute, no entry in the ledger."""
    world = World()
    run = world.prepare()
    assert world.call(reserve_capacity, run=run).state == "none"
    assert world.compute.inserted == []


def test_a_reservation_is_made_once() -> None:
    """Calling twice leaves one reservation, with intent and outcome on record."""
    world = World()
    run = world.prepare(RESERVATION)
    assert world.call(reserve_capacity, run=run).state == "granted"
    assert world.call(reserve_capacity, run=run).state == "granted"
    assert len(world.compute.found) == 1
    assert ("reservation", "made") in world.phases(run)


def test_a_stock_out_leads_to_the_next_zone() -> None:
    """The zone that has the machine gets the reservation."""
    world = World()
    run = world.prepare(RESERVATION)
    world.compute.failures["us-central1-a"] = StockOutError("none left")
    world.call(reserve_capacity, run=run)
    (name,) = world.compute.found
    assert "/zones/us-central1-b/" in name


def test_no_zone_at_all_is_a_stock_out() -> None:
    """When every zone is empty, that is what is told."""
    world = World()
    run = world.prepare(RESERVATION)
    world.compute.failures.update({f"us-central1-{z}": StockOutError("none left") for z in "abcf"})
    with pytest.raises(StockOutError):
        world.call(reserve_capacity, run=run)


def test_a_pending_reservation_is_waited_for() -> None:
    """It is not on record as made before the platform says ready."""
    world = World()
    world.compute.status["reservation"] = "CREATING"
    run = world.prepare(RESERVATION)
    assert world.call(reserve_capacity, run=run).state == "waiting"
    assert ("reservation", "made") not in world.phases(run)


@pytest.mark.parametrize(
    ("status", "state"), [("ACCEPTED", "waiting"), ("CREATING", "waiting"), ("SUCCEEDED", "granted")]
)
def test_flex_start_queues_once_and_tells_how_it_stands(status: str, state: str) -> None:
    """Template, group and request, each once; the answer follows the request's state."""
    world = World()
    world.compute.status["request"] = status
    run = world.prepare(FLEX)
    assert world.call(reserve_capacity, run=run).state == state
    assert world.call(reserve_capacity, run=run).state == state
    assert [kind for kind, _ in world.compute.inserted] == ["template", "group", "request"]


def test_a_group_that_its_request_has_filled_is_still_ours() -> None:
    """The platform counts the granted VM into the group's size."""
    world = World()
    run = world.prepare(FLEX)
    world.call(reserve_capacity, run=run)
    (group,) = [r for r in world.compute.found.values() if r.kind == "group"]
    group.body["targetSize"] = 1
    assert world.call(reserve_capacity, run=run).state == "granted"


@pytest.mark.parametrize(("hours", "gives_up"), [(23, False), (25, True)])
def test_waiting_ends(hours: int, gives_up: bool) -> None:
    """A request that is not granted within a day is given up as a stock-out."""
    world = World()
    world.compute.status["request"] = "ACCEPTED"
    run = world.prepare(FLEX)
    world.time += timedelta(hours=hours)
    if gives_up:
        with pytest.raises(StockOutError):
            world.call(reserve_capacity, run=run)
    else:
        assert world.call(reserve_capacity, run=run).state == "waiting"


def test_a_reservation_that_became_invalid_leads_to_the_next_zone() -> None:
    """A reservation that is neither ready nor being made is not waited for."""
    world = World()
    world.compute.status["reservation"] = "INVALID"
    run = world.prepare(RESERVATION)
    with pytest.raises(StockOutError):
        world.call(reserve_capacity, run=run)
    assert len(world.compute.inserted) == 4


def test_a_failed_request_is_a_stock_out() -> None:
    """A request that the platform gave up is told as such."""
    world = World()
    world.compute.status["request"] = "FAILED"
    run = world.prepare(FLEX)
    with pytest.raises(StockOutError):
        world.call(reserve_capacity, run=run)


@pytest.mark.parametrize("after", range(1, 7))
def test_a_call_that_died_is_taken_up(after: int) -> None:
    """Wherever it died, the next call ends with each resource once and on record."""
    world = World()
    run = world.prepare(FLEX)
    world.storage.dies_at = world.storage.writes + after
    with pytest.raises(DiedError):
        world.call(reserve_capacity, run=run)
    assert world.call(reserve_capacity, run=run).state == "granted"
    made = {kind for kind, phase in world.phases(run) if phase == "made"}
    assert {"template", "group", "request"} <= made
    assert len(world.compute.found) == 3


def test_another_group_of_our_name_is_a_conflict() -> None:
    """A group that repairs its VMs is not taken for ours."""
    world = World()
    run = world.prepare(FLEX)
    world.call(reserve_capacity, run=run)
    (group,) = [r for r in world.compute.found.values() if r.kind == "group"]
    group.body["instanceLifecyclePolicy"]["defaultActionOnFailure"] = "REPAIR"
    with pytest.raises(ConflictError):
        world.call(reserve_capacity, run=run)
