"""Tests of `rules.budget`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sealtrain.rules import budget
from sealtrain.rules.errors import InvalidRequestError, RefusedError

from tests.functions.memory import SETTINGS

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
def test_the_record_of_a_month_is_found_all_through_it(begins: datetime) -> None:
    """From its second hour to its last second: summer and winter are an hour apart."""
    for now in (begins + timedelta(hours=1), begins + timedelta(days=29, hours=23)):
        assert budget.record_now(now) == budget.record(begins)


def test_a_refusal_says_how_much_until_when_and_what_to_do() -> None:
    """For the owner and for the operator."""
    found = budget.pause(NOVEMBER, 512.3, 500.0, "USD", NOW)
    with pytest.raises(RefusedError) as caught:
        budget.check(found, SETTINGS, NOW)
    told = caught.value.body
    assert (told.code, told.got, told.expected) == ("paused", "512.30 USD", "less than 500.00 USD")
    assert "another attempt from 2026-12-01 07:00 UTC on" in str(told.remedy)
    assert "gs://sealtrain-demo-project-state/paused/2026-11.json" in str(told.remedy)


def test_nothing_is_refused_without_a_pause_or_after_it() -> None:
    """A pause that ended holds nobody up."""
    budget.check(None, SETTINGS, NOW)
    budget.check(budget.pause(NOVEMBER, 1.0, 1.0, "USD", NOW), SETTINGS, DECEMBER)
