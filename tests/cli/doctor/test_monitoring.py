"""What the doctor takes from Cloud Monitoring, over canned answers: the stand-in watches no metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.doctor import monitoring
from cli.doctor.line import Line
from cli.errors import CloudError

SETTINGS = Settings(project="demo-project", project_number="100000000001", region="us-central1")
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def alert(title: str, **changed: Any) -> dict[str, Any]:
    """A policy of ours as the API lists it."""
    return {
        "displayName": f"sealtrain us-central1: {title}",
        "enabled": True,
        "notificationChannels": ["projects/demo-project/notificationChannels/1"],
        **changed,
    }


class Canned:
    """Answers a listing by its key; an error is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"alertPolicies": [alert(title) for title in monitoring.ALERTS], **answers}

    def pages(self, _service: str, _path: str, key: str, **_: Any) -> Any:
        answer = self.answers.get(key, [])
        if isinstance(answer, Exception):
            raise answer
        return answer


def lines(**answers: Any) -> list[Line]:
    """Both lines."""
    return monitoring.check(cast(Api, Canned(**answers)), SETTINGS, NOW)


def test_armed_alerts_and_a_sink_that_delivers_are_well() -> None:
    """Other people's policies and empty series are no matter."""
    strangers = [alert(title) for title in monitoring.ALERTS] + [{"displayName": "theirs", "enabled": False}]
    assert [line.state for line in lines(alertPolicies=strangers)] == ["ok", "ok"]


def others_than(title: str) -> list[dict[str, Any]]:
    """All but one."""
    return [alert(one) for one in monitoring.ALERTS if one != title]


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        (others_than("dead letters"), "missing: dead letters"),
        ([*others_than("dead letters"), {"displayName": "dead letters"}], "missing: dead letters"),
        ([*others_than("dead letters"), alert("dead letters", enabled=False)], "off: dead letters"),
        (
            [*others_than("dead letters"), alert("dead letters", notificationChannels=[])],
            "without a channel: dead letters",
        ),
    ],
)
def test_an_alert_that_tells_nobody_is_found(policies: list[dict[str, Any]], told: str) -> None:
    """Which, what is wrong, and the command that makes it right."""
    line = lines(alertPolicies=policies)[0]
    assert line == Line("alerts", "fail", told, "scripts/deploy.sh demo-project --region us-central1")


def test_no_alert_at_all_is_a_decision_and_told() -> None:
    """Nobody was named."""
    assert lines(alertPolicies=[])[0].state == "warn"


def test_entries_that_the_sink_lost_are_found() -> None:
    """Over all series and points of the last day."""
    points = [{"value": {"int64Value": "2"}}, {"value": {"int64Value": "1"}}]
    line = lines(timeSeries=[{"points": points}, {"points": points}])[1]
    assert line.state == "fail"
    assert "could not deliver 6 entries" in line.told
    assert line.mend.startswith("gcloud logging sinks describe sealtrain-attestation-logs")


@pytest.mark.parametrize("status", [403, 501])
def test_what_cannot_be_seen_is_a_warning(status: int) -> None:
    """Never an ok."""
    error = CloudError("no", status=status)
    found = lines(alertPolicies=error, timeSeries=error)
    assert [line.state for line in found] == ["warn", "warn"]
    assert all(line.mend for line in found)
