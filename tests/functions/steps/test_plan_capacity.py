"""Tests of `steps.plan_capacity`."""

import pytest
from sealtrain.rules.errors import InvalidRequestError, NotFoundError
from sealtrain.steps import plan_capacity

from tests.functions.memory import World


def test_a_plan_is_written_once() -> None:
    """Calling twice gives the same answer and leaves one plan."""
    world = World()
    run = world.admit()
    first = world.call(plan_capacity, run=run)
    writes = world.storage.writes
    assert world.call(plan_capacity, run=run) == first
    assert world.storage.writes == writes
    assert (first.shape, first.zone, first.mode) == ("n2d-standard-2", "us-central1-a", "on-demand")
    assert len(world.state.plan(run).attempts) == first.attempts == 4


def test_a_run_that_was_not_admitted_has_no_plan() -> None:
    """A step before its precursor is told what is missing."""
    with pytest.raises(NotFoundError):
        World().call(plan_capacity, run="r0123456789ab")


def test_a_malformed_run_id_is_refused() -> None:
    """A run id cannot name another path."""
    with pytest.raises(InvalidRequestError):
        World().call(plan_capacity, run="../x")
