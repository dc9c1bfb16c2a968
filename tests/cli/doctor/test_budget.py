"""What the doctor says of a spent budget, by where the reader is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import msgspec
import pytest
from sealtrain.rules import budget
from sealtrain.rules.settings import Settings

from cli import pauses
from cli.api import Api
from cli.doctor import budget as doctor

NOW = datetime(2026, 11, 26, tzinfo=UTC)
GOOGLE = Settings(project="demo-project", project_number="100000000001", region="us-central1")
STAND_IN = msgspec.structs.replace(GOOGLE, endpoint="http://127.0.0.1:4711")


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        (GOOGLE, "raise budget_usd and apply, then sealtrain resume"),
        (STAND_IN, "sealtrain resume"),
    ],
    ids=["on Google Cloud", "on the stand-in"],
)
def test_the_pause_is_lifted_by_a_command_that_works_there(
    settings: Settings, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the stand-in there is no budget to raise."""
    pause = budget.Pause(NOW, datetime(2026, 12, 1, tzinfo=UTC), 500.0, 500.0, "USD")
    monkeypatch.setattr(pauses, "standing", lambda *_: ("paused/2026-11/500.00.pause.json", pause))
    line = doctor.check(cast(Api, None), settings, NOW)
    assert (line.state, line.mend) == ("warn", mend)
