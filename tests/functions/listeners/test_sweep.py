"""The net below the workflow: what outlived its run is found, and its teardown asked for."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sealtrain.listeners import sweep, tear_down
from sealtrain.rules import names
from sealtrain.rules.bundle import verify_bundle
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.proof import RUN_ENDED
from sealtrain.steps import close_run

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World


def started(world: World) -> list[dict[str, Any]]:
    """The arguments of the teardowns that a sweep starts."""
    world.executions.started.clear()
    world.call(sweep)
    teardown = names.workflow(world.settings, "tear_down")
    assert all(workflow == teardown for workflow, _ in world.executions.started)
    return [argument for _, argument in world.executions.started]


def asked(world: World) -> dict[str, str]:
    """Runs whose teardown a sweep starts, with the reason."""
    return {argument["run"]: argument["reason"] for argument in started(world)}


def carry_out(world: World) -> None:
    """Do what the workflow does for each teardown that a sweep starts."""
    for argument in started(world):
        world.call(tear_down, run=argument["run"], reason=argument["reason"])
        if argument.get("failure"):
            world.call(close_run, run=argument["run"], failure=argument["failure"])


def test_living_run_is_left_alone() -> None:
    """A run before its end is not touched, even with a machine standing."""
    world = World()
    world.start()
    assert asked(world) == {}


def test_run_past_its_end_is_swept() -> None:
    """A claimed run that was not closed by its end is asked to go; without the workflow it still goes."""
    world = World()
    run = world.start()
    world.time += timedelta(days=8)
    [argument] = started(world)
    assert argument["run"] == run
    assert "failure" not in argument  # its workflow is there, and closes it


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED", "SUCCEEDED", "UNAVAILABLE", None])
def test_run_whose_workflow_ended_is_torn_down_and_closed_at_once(state: str | None) -> None:
    """Long before its end time; the bundle says what happened, holds, and nothing is left to sweep."""
    world = World()
    run = world.start()
    world.executions.state = state
    carry_out(world)
    assert world.compute.found == {}
    closed = json.loads(world.storage.get(world.evidence, names.closed(run)))
    assert closed["outcome"] == "torn_down"
    assert (state or "no such execution") in closed["reason"]
    signed = world.storage.get(world.evidence, names.bundle(run))
    checks = verify_bundle(signed, authority.public_pem(BUNDLE_KEY), authority.root_pem())
    assert [check for check in checks if not check.ok] == []
    assert asked(world) == {}


def test_run_that_lost_its_workflow_after_all_was_done_has_succeeded() -> None:
    """Only the close was lost: the records show success, and say so."""
    world = World()
    run = world.succeed()
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.executions.state = "CANCELLED"
    carry_out(world)
    closed = json.loads(world.storage.get(world.evidence, names.closed(run)))
    assert (closed["outcome"], closed["reason"]) == ("succeeded", "")


def test_run_that_was_torn_down_and_lost_its_workflow_is_closed() -> None:
    """A proof alone is no end: somebody has to write the bundle."""
    world = World()
    run = world.start()
    world.call(tear_down, run=run, reason="asked by the operator")
    assert asked(world) == {}
    world.executions.state = "CANCELLED"
    carry_out(world)
    closed = json.loads(world.storage.get(world.evidence, names.closed(run)))
    assert closed["reason"].startswith("asked by the operator")
    assert asked(world) == {}


def test_closed_run_that_left_nothing_is_left_alone() -> None:
    """A closed run is looked at no more, however old."""
    world = World()
    world.end(world.succeed())
    world.time += timedelta(days=30)
    assert asked(world) == {}


def test_leftover_of_a_closed_run_is_swept_at_once() -> None:
    """Something that stands after its run was closed is asked to go, before any expiry."""
    world = World()
    run = world.succeed()
    machine = world.compute.found.copy()
    world.end(run)
    world.compute.found |= machine
    assert asked(world)[run] == RUN_ENDED


def test_resource_of_an_unknown_run_is_swept() -> None:
    """A machine, bucket or key under our names whose run has no record is asked to go."""
    world = World()
    run = world.start()
    for key in [key for key in world.storage.objects if key[0] != names.inbox_bucket(world.settings)]:
        del world.storage.objects[key]
    assert list(asked(world)) == [run]
    world.compute.found.clear()
    world.storage.buckets.clear()
    assert list(asked(world)) == [run]  # its key still stands


def test_broken_record_does_not_keep_a_machine_alive() -> None:
    """A run whose job record cannot be read counts as past its end."""
    world = World()
    run = world.start()
    world.storage.put(names.state_bucket(world.settings), names.job(run), b"{")
    assert list(asked(world)) == [run]


def test_claim_without_a_job_ends_soon() -> None:
    """A claimed run that was never admitted made nothing: it is looked at after an hour, and closed."""
    world = World()
    run = world.admit()
    world.storage.delete(names.state_bucket(world.settings), names.job(run))
    world.executions.state = "FAILED"
    assert asked(world) == {}
    world.time += timedelta(hours=2)
    assert list(asked(world)) == [run]
    carry_out(world)
    assert world.storage.find(world.evidence, names.closed(run))
    assert asked(world) == {}


def test_run_that_is_claimed_while_a_sweep_looks_is_left_alone() -> None:
    """The listing of claims may be older than what stands: the claim itself is looked at."""
    world = World()
    run = world.start()
    world.storage.list = lambda *_: []  # type: ignore[method-assign]
    assert run in set(sweep._standing(world.storage, world.kms, world.compute, world.settings))  # type: ignore[arg-type]
    assert asked(world) == {}


def test_claim_of_an_execution_that_cannot_be_does_not_stop_the_sweep() -> None:
    """One odd record does not keep the others from being swept."""
    world = World()
    run = world.start()
    real = world.executions.get

    def refuse(name: str) -> Any:
        raise InvalidRequestError("not an execution", field=name)

    world.executions.get = refuse  # type: ignore[method-assign]
    assert list(asked(world)) == [run]
    world.executions.get = real  # type: ignore[method-assign]
