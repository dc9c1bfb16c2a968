"""Tests of `rules.budget`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sealtrain.rules import budget
from sealtrain.rules.errors import InvalidRequestError, RefusedError

NOVEMBER = datetime(2026, 11, 1, 7, tzinfo=UTC)  # midnight in Pacific time, in summer
DECEMBER = datetime(2026, 12, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("cost", [500.0, 500.01, 1e9])
def test_a_cost_that_reaches_the_budget_pauses_until_the_month_ends(cost: float) -> None:
    """At exactly the budget, too."""
    found = budget.pause(NOVEMBER, cost, 500.0, "USD", NOW)
    assert found == budget.Pause(NOW, datetime(2026, 12, 1, 7, tzinfo=UTC), cost, 500.0, "USD")


@pytest.mark.parametrize("cost", [-3.0, 0.0, 499.99])
def test_a_cost_below_the_budget_pauses_nothing(cost: float) -> None:
    """Credits may make it negative."""
    assert budget.pause(NOVEMBER, cost, 500.0, "USD", NOW) is None


@pytest.mark.parametrize("begins", [NOW + timedelta(seconds=1), NOW - timedelta(days=63)])
def test_a_notification_of_another_time_is_refused(begins: datetime) -> None:
    """It says nothing about this month or the last."""
    with pytest.raises(InvalidRequestError) as caught:
        budget.pause(begins, 1.0, 1.0, "USD", NOW)
    assert caught.value.body.field == "costIntervalStart"


@pytest.mark.parametrize("begins", [NOVEMBER, DECEMBER, datetime(2026, 12, 31, 8, tzinfo=UTC)])
def test_a_pause_ends_after_its_month_and_before_the_next_but_one(begins: datetime) -> None:
    """On the first day of a month, over the end of a year, too."""
    found = budget.pause(begins, 1.0, 1.0, "USD", begins)
    assert found is not None
    assert found.until.day == 1
    assert timedelta(0) < found.until - begins <= timedelta(days=31)


@pytest.mark.parametrize("begins", [NOVEMBER, DECEMBER])
def test_the_records_of_a_month_are_found_all_through_it(begins: datetime) -> None:
    """From its second hour to its last second: summer and winter are an hour apart."""
    for now in (begins + timedelta(hours=1), begins + timedelta(days=29, hours=23)):
        assert budget.folder_now(now) == budget.folder(begins)


def test_a_refusal_says_how_much_until_when_and_what_to_do() -> None:
    """For the owner and for the operator."""
    found = budget.pause(NOVEMBER, 512.3, 500.0, "USD", NOW)
    with pytest.raises(RefusedError) as caught:
        budget.check(found, NOW)
    told = caught.value.body
    assert (told.code, told.got, told.expected) == ("paused", "512.30 USD", "less than 500.00 USD")
    assert "another attempt from 2026-12-01 07:00 UTC on" in str(told.remedy)
    assert "`sealtrain resume`" in str(told.remedy)
    assert "A checkpoint is kept for 14 days" in str(told.remedy), "an attempt may come too late for its own"


def test_nothing_is_refused_without_a_pause_or_after_it() -> None:
    """A pause that ended holds nobody up."""
    budget.check(None, NOW)
    budget.check(budget.pause(NOVEMBER, 1.0, 1.0, "USD", NOW), DECEMBER)


@pytest.mark.parametrize(
    ("cost", "amount", "mark"),
    [(500, 500, "500.00"), (999.99, 500, "500.00"), (1e9, 300, "999999900.00"), (1e12, 1, f"{10**12}.00")],
)
def test_a_pause_is_named_by_month_and_mark(cost: float, amount: float, mark: str) -> None:
    """The whole budgets that were spent, in money: the same notification gives the same name."""
    found = budget.pause(NOVEMBER, cost, amount, "USD", NOW)
    assert found is not None
    name = budget.record(NOVEMBER, found)
    assert name == f"paused/2026-11/{mark}.pause.json"
    assert budget.in_force([name]) == name


def test_the_furthest_mark_is_the_one_that_counts() -> None:
    """As an amount, not as text; what else lies there is no pause."""
    below = "paused/2026-11/"
    near, far = f"{below}500.00.pause.json", f"{below}1000.00.pause.json"
    others = [f"{below}note.txt", f"{below}9e9.pause.json"]
    assert budget.in_force([far, near, *others]) == far
    assert budget.in_force([near, budget.lift(near), far]) == far
    assert budget.in_force([near, far, budget.lift(far)]) is None
    assert budget.in_force(others) is None
    assert [budget.is_further(one, [near]) for one in (near, far)] == [False, True]
    assert not budget.is_further(near, [far, budget.lift(far)])
