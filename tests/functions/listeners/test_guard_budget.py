"""Tests of `listeners.guard_budget`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import guard_budget
from sealtrain.rules import budget, names
from sealtrain.rules.errors import InvalidRequestError, RefusedError
from sealtrain.rules.parsing import parse

from tests.functions.memory import World

# As Google documents it, with a field that is not used and one that nobody knows yet.
TOLD: dict[str, Any] = {
    "budgetDisplayName": "sealtrain demo-project",
    "alertThresholdExceeded": 1.0,
    "costAmount": 500.01,
    "costIntervalStart": "2026-11-01T07:00:00Z",
    "budgetAmount": 500.0,
    "budgetAmountType": "SPECIFIED_AMOUNT",
    "currencyCode": "USD",
    "somethingNew": True,
}


def told(**changed: Any) -> dict[str, Any]:
    """The fields of a request that was parsed from a notification."""
    request = parse(json.dumps({**TOLD, **changed}), guard_budget.Request, "the request")
    return {field: getattr(request, field) for field in request.__struct_fields__}


def test_past_the_budget_no_run_is_admitted() -> None:
    """The pause stands in the state bucket, and the owner of the next upload is told."""
    world = World()
    found = world.call(guard_budget, **told())
    assert (found.paused, found.until) == (True, "2026-12-01T07:00:00+00:00")
    with pytest.raises(RefusedError) as caught:
        world.admit()
    assert caught.value.code == "paused"
    (refusal,) = [n for b, n in world.storage.objects if b == world.inbox and n.startswith("refused/")]
    assert json.loads(world.storage.get(world.inbox, refusal))["code"] == "paused"


def test_what_was_admitted_before_goes_on() -> None:
    """A step that is repeated gives what it gave."""
    world = World()
    run = world.admit()
    upload = world.state.claim(run).upload
    world.call(guard_budget, **told())
    from sealtrain.steps import admit_run

    assert world.admit_again(admit_run, upload.object, upload.generation) == run


def test_the_next_month_runs_are_admitted_again() -> None:
    """Nobody has to lift a pause."""
    world = World()
    world.call(guard_budget, **told())
    world.time = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
    assert world.admit()


def test_a_removed_record_lifts_the_pause() -> None:
    """What the remedy says."""
    world = World()
    world.call(guard_budget, **told())
    world.storage.delete(names.state_bucket(world.settings), "paused/2026-11.json")
    assert world.admit()


def test_the_first_pause_of_a_month_stands() -> None:
    """The same notification again, or a later one with another cost, changes nothing."""
    world = World()
    world.call(guard_budget, **told())
    before = world.state.find("paused/2026-11.json", budget.Pause)
    assert world.call(guard_budget, **told(costAmount=700.5)).paused
    assert world.state.find("paused/2026-11.json", budget.Pause) == before


@pytest.mark.parametrize(
    "changed", [{"costAmount": 499.99}, {"costAmount": 250, "alertThresholdExceeded": 0.5}]
)
def test_below_the_budget_runs_are_admitted(changed: dict[str, Any]) -> None:
    """Most notifications only say how much it is by now."""
    world = World()
    assert world.call(guard_budget, **told(**changed)).paused is False
    assert world.admit()


def test_another_budget_says_nothing() -> None:
    """A topic can be given to several budgets."""
    world = World()
    assert world.call(guard_budget, **told(budgetDisplayName="the company's")) is None
    assert world.admit()


@pytest.mark.parametrize(
    "changed",
    [
        {"costAmount": "500"},
        {"costAmount": None},
        {"budgetAmount": 0},
        {"costIntervalStart": "2026-11-01"},
        {"costIntervalStart": "2026-11-01T07:00:00"},
        {"currencyCode": "dollars\n"},
        {"budgetDisplayName": 1},
    ],
)
def test_what_is_no_notification_is_refused(changed: dict[str, Any]) -> None:
    """By the field."""
    with pytest.raises(InvalidRequestError) as caught:
        told(**changed)
    assert caught.value.body.field == next(iter(changed))


def test_a_record_reads_as_it_was_written() -> None:
    """Times with their zone."""
    pause = msgspec.json.decode(
        b'{"since":"2026-11-22T12:00:00Z","until":"2026-12-01T07:00:00Z","cost":1,"budget":1,"currency":"USD"}',
        type=budget.Pause,
    )
    assert pause.until.utcoffset() is not None
