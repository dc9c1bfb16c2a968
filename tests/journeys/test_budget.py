"""What the budget does: told by Google's own notification, it keeps new runs from starting."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sealtrain.rules import budget

from cli import place
from cli.api import Api
from cli.doctor import budget as doctor
from cli.verbs.resume import resume
from tests.journeys.world import World


def test_past_the_budget_new_uploads_are_refused_until_the_pause_is_lifted(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notification comes by the budget's topic; the owner reads why, the operator what to do. Told again
    after that, it changes nothing.
    """
    settings, now = world.settings, datetime.now(UTC)
    month = budget.folder_now(now).removeprefix(budget.PREFIX).rstrip("/")
    notification = {
        "budgetDisplayName": budget.display_name(settings),
        "alertThresholdExceeded": 1.0,
        "costAmount": 500.01,
        "costIntervalStart": f"{month}-01T08:00:00Z",
        "budgetAmount": 500.0,
        "budgetAmountType": "SPECIFIED_AMOUNT",
        "currencyCode": "USD",
    }

    def tell(times: int) -> None:
        world.publish("budget-alerts", notification)
        world.until(lambda: world.told("budget.judged") == times, "it was judged")

    monkeypatch.setattr(place, "find", lambda *_: settings)
    tell(1)
    tell(2)  # it is said several times a day, and any message may come twice
    try:
        refusal = world.refusal(world.upload("past-the-budget.csv", b""))
        assert refusal["code"] == "paused"
        assert refusal["got"] == "500.01 USD"
        line = doctor.check(Api(settings), settings, now)
        assert (line.state, "500.01 of 500.00 USD" in line.told) == ("warn", True)
        assert line.mend.endswith("sealtrain resume")
    finally:
        assert resume("a test of it", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["lifted"] == f"paused/{month}/500.00.pause.json"

    tell(3)
    refusal = world.refusal(world.upload("after-the-pause.csv", b""))
    assert refusal["code"] == "empty_dataset", "judged by what it is again"
    assert doctor.check(Api(settings), settings, now).state == "ok"
    assert resume("again", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["lifted"] is None
