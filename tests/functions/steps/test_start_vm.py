"""Tests of `steps.start_vm`."""

import pytest
from sealtrain.rules import machine, names
from sealtrain.rules.capacity import Attempt
from sealtrain.rules.errors import ConflictError, NotReadyError, StockOutError
from sealtrain.rules.ledger import open_intents
from sealtrain.steps import reserve_capacity, start_vm

from tests.functions.memory import DiedError, World

FLEX = b"machine: {shape: a3-highgpu-1g, mode: flex-start}"


def test_one_vm_is_started_and_stands_in_the_ledger_by_its_id() -> None:
    """Calling twice leaves one VM; the entry holds the numeric id and the disk's key."""
    world = World()
    run = world.prepare()
    first = world.call(start_vm, run=run)
    assert world.call(start_vm, run=run) == first
    assert len(world.compute.inserted) == 1
    (made,) = [e for e in world.ledger.entries(run) if (e.kind, e.phase) == ("instance", "made")]
    assert made.detail["id"] == world.compute.found[first.instance].id
    assert made.detail["kms_key"] == names.storage_key(world.settings)


def test_a_stock_out_leads_to_the_next_zone_and_no_way_back() -> None:
    """After a stock-out and a death, the next call goes on after the zone that refused."""
    world = World()
    run = world.prepare()
    world.compute.failures["us-central1-a"] = StockOutError("none left")
    world.storage.dies_at = world.storage.writes + 4  # intent and refusal of a, intent of b, then the outcome
    with pytest.raises(DiedError):
        world.call(start_vm, run=run)
    world.compute.failures.clear()
    assert world.call(start_vm, run=run).zone == "us-central1-b"
    assert len(world.compute.found) == 1


def test_a_stock_out_told_after_the_machine_was_listed_leads_to_the_next_zone() -> None:
    """While it is provisioning nothing is on record as made; the operation's failure then counts."""
    world = World()
    run = world.prepare()
    world.compute.status["instance"] = "PROVISIONING"
    with pytest.raises(NotReadyError):
        world.call(start_vm, run=run)
    assert ("instance", "made") not in world.phases(run)
    assert open_intents(world.ledger.entries(run)) == set()  # a teardown has nobody to wait for
    world.compute.found.clear()
    world.compute.failures["us-central1-a"] = StockOutError("none left")
    world.compute.status["instance"] = "STAGING"
    assert world.call(start_vm, run=run).zone == "us-central1-b"


@pytest.mark.parametrize("after", [1, 2])
def test_a_call_that_died_is_taken_up(after: int) -> None:
    """Died before or after the insert: one VM in the end."""
    world = World()
    run = world.prepare()
    world.storage.dies_at = world.storage.writes + after
    with pytest.raises(DiedError):
        world.call(start_vm, run=run)
    world.call(start_vm, run=run)
    assert len(world.compute.found) == 1


def test_a_vm_that_ended_is_not_started_again() -> None:
    """Once made, it is not made a second time: silence is verify_evidence's to tell."""
    world = World()
    run = world.prepare()
    first = world.call(start_vm, run=run)
    world.compute.found.clear()
    assert world.call(start_vm, run=run) == first
    assert world.compute.found == {}


def test_no_zone_at_all_is_a_stock_out() -> None:
    """When every zone is empty, that is what is told."""
    world = World()
    run = world.prepare()
    world.compute.failures.update({f"us-central1-{z}": StockOutError("none left") for z in "abcf"})
    with pytest.raises(StockOutError):
        world.call(start_vm, run=run)


def test_another_vm_of_our_name_is_a_conflict() -> None:
    """Nothing of the run is handed to a VM that we did not describe."""
    world = World()
    run = world.prepare()
    name = names.instance(world.settings, run, "us-central1-a")
    body = machine.instance(
        world.settings,
        world.state.job(run),
        Attempt("n2d-standard-2", "SEV", "on-demand", "us-central1-a"),
        "other",
    )
    world.compute.insert("instance", name, body, machine.request_id(name))
    with pytest.raises(ConflictError):
        world.call(start_vm, run=run)


def test_a_reserved_machine_starts_where_it_was_reserved() -> None:
    """Only the reservation's zone is tried."""
    world = World()
    run = world.prepare(b"machine: {mode: reservation}")
    world.compute.failures["us-central1-a"] = StockOutError("none left")
    world.call(reserve_capacity, run=run)
    world.compute.failures.clear()
    assert world.call(start_vm, run=run).zone == "us-central1-b"


def test_a_flex_start_vm_is_waited_for_and_found() -> None:
    """The group makes the VM; the step never inserts one itself."""
    world = World()
    run = world.prepare(FLEX)
    world.call(reserve_capacity, run=run)
    with pytest.raises(NotReadyError):
        world.call(start_vm, run=run)
    attempt = world.state.plan(run).attempts[0]
    name = names.instance(world.settings, run, attempt.zone)
    body = machine.instance(world.settings, world.state.job(run), attempt, world.state.order(run)[1])
    world.compute.insert("instance", name, body, machine.request_id(name))
    assert world.call(start_vm, run=run).instance == name


def test_a_spot_machine_is_started_and_a_stock_out_leads_to_the_next_zone() -> None:
    """Asked for as Spot, wherever it comes to be; where no zone has one, the remedy is told."""
    world = World()
    run = world.prepare(b"machine: {mode: spot}")
    world.compute.failures["us-central1-a"] = StockOutError("none left")
    found = world.call(start_vm, run=run)
    assert found.zone == "us-central1-b"
    body = world.compute.found[found.instance].body
    assert body["scheduling"]["provisioningModel"] == "SPOT"
