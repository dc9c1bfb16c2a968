"""Tests of `listeners.guard_budget`."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import guard_budget
from sealtrain.rules import budget, names
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import InvalidRequestError, RefusedError
from sealtrain.rules.parsing import parse

from tests.functions.memory import DiedError, World

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


def lifted(world: World) -> str:
    """An operator lifts the pause that stands, as `sealtrain resume` does; its name."""
    found = budget.in_force(world.state.listed(budget.folder_now(world.time)))
    assert found is not None
    why = budget.Lift(time=world.time, reason="the budget was raised")
    world.storage.create(names.state_bucket(world.settings), budget.lift(found), dumps(why))
    return found


@pytest.mark.parametrize(
    "again", [{}, {"costAmount": 812.3}, {"budgetAmount": 1000.0, "costAmount": 999.9}, {"costAmount": 3.0}]
)
def test_a_lifted_pause_stays_lifted(again: dict[str, Any]) -> None:
    """The same notification again, a later one with more cost or a raised budget, a late one with less."""
    world = World()
    world.call(guard_budget, **told())
    lifted(world)
    found = world.call(guard_budget, **told(**again))
    assert (found.paused, found.made, found.until) == (False, False, "")
    assert world.admit()


@pytest.mark.parametrize("reached", [{"costAmount": 1000.0}, {"costAmount": 700.0, "budgetAmount": 700.0}])
def test_a_further_mark_pauses_anew(reached: dict[str, Any]) -> None:
    """The budget spent a second time, or a raised one spent: an operator is to decide again."""
    world = World()
    world.call(guard_budget, **told())
    first = lifted(world)
    found = world.call(guard_budget, **told(**reached))
    assert (found.paused, found.made) == (True, True)
    with pytest.raises(RefusedError, match="reached the budget"):
        world.admit()
    assert world.call(guard_budget, **told(**reached)).made is False, "told again"
    assert lifted(world) != first
    assert world.call(guard_budget, **told()).paused is False, "the first mark, late"
    assert world.admit()


def test_a_nearer_mark_told_late_makes_no_pause() -> None:
    """The first that was heard of is twice the budget; once is no news after that, lifted or not."""
    world = World()
    assert world.call(guard_budget, **told(costAmount=1010.0)).made
    assert world.call(guard_budget, **told()).made is False
    lifted(world)
    found = world.call(guard_budget, **told())
    assert (found.paused, found.made) == (False, False)


def test_a_delivery_that_was_cut_off_is_judged_anew() -> None:
    """Dying before the record leaves nothing, dying after it the pause: the next delivery ends the same."""
    for dies_at in (1, 0):
        world = World()
        world.storage.dies_at = dies_at
        with suppress(DiedError):
            world.call(guard_budget, **told())
        world.storage.dies_at = 0
        assert world.call(guard_budget, **told()).paused
        assert len(world.state.listed(budget.PREFIX)) == 1


def test_the_first_pause_at_a_mark_stands() -> None:
    """The same notification again, or a later one with more cost, changes nothing and says what stands."""
    world = World()
    assert world.call(guard_budget, **told()).made
    (name,) = world.state.listed(budget.PREFIX)
    before = world.state.find(name, budget.Pause)
    found = world.call(guard_budget, **told(costAmount=700.5))
    assert (found.paused, found.made, found.cost) == (True, False, 700.5)
    assert world.state.find(name, budget.Pause) == before


def test_below_the_budget_a_pause_that_stands_is_told() -> None:
    """A budget that was raised lifts no pause; a person does."""
    world = World()
    world.call(guard_budget, **told())
    found = world.call(guard_budget, **told(budgetAmount=2000.0))
    assert (found.paused, found.made, found.until) == (True, False, "2026-12-01T07:00:00+00:00")


def test_a_month_that_is_over_pauses_nothing() -> None:
    """The last notification of a month may come in the next."""
    world = World()
    world.time = datetime(2026, 12, 1, 9, tzinfo=UTC)
    found = world.call(guard_budget, **told())
    assert (found.paused, found.made) == (False, False)
    assert world.admit()


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
        {"costAmount": 1e300},
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
