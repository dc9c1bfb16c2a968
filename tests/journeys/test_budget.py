"""What the budget does: told by Google's own notification, it keeps new runs from starting."""

from __future__ import annotations

from datetime import UTC, datetime

import requests
from sealtrain.rules import budget

from cli.api import Api
from cli.doctor import budget as doctor
from tests.journeys.world import World


def test_past_the_budget_new_uploads_are_refused_until_the_pause_is_lifted(world: World) -> None:
    """The notification comes by the budget's topic; the owner reads why, the operator what to do."""
    settings, now = world.settings, datetime.now(UTC)
    place = budget.record_now(now)
    notification = {
        "budgetDisplayName": budget.display_name(settings),
        "alertThresholdExceeded": 1.0,
        "costAmount": 500.01,
        "costIntervalStart": place.removeprefix(budget.PREFIX).removesuffix(".json") + "-01T08:00:00Z",
        "budgetAmount": 500.0,
        "budgetAmountType": "SPECIFIED_AMOUNT",
        "currencyCode": "USD",
    }
    for times in (1, 2):  # it is said several times a day, and any message may come twice
        world.publish("budget-alerts", notification)
        world.until(lambda times=times: world.told("budget.judged") == times, "it was judged")
    try:
        record = world.json(world.state, place) or {}
        refusal = world.refusal(world.upload("past-the-budget.csv", b""))
        assert refusal["code"] == "paused"
        assert refusal["got"] == "500.01 USD"
        line = doctor.check(Api(settings), settings, now)
        assert (line.state, record["until"][:7] in line.told) == ("warn", True)
        verb, _, url = line.mend.removeprefix("curl -X ").partition(" ")
        assert (verb, requests.delete(url, timeout=30).ok) == ("DELETE", True)
    finally:
        if world.state.blob(place).exists():
            world.state.blob(place).delete()

    refusal = world.refusal(world.upload("after-the-pause.csv", b""))
    assert refusal["code"] == "empty_dataset", "judged by what it is again"
    assert doctor.check(Api(settings), settings, now).state == "ok"
