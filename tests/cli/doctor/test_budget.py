"""What the doctor says of a spent budget, by where the reader is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import msgspec
import pytest
from sealtrain.rules import budget
from sealtrain.rules.settings import Settings

from cli import objects
from cli.api import Api
from cli.doctor import budget as doctor

NOW = datetime(2026, 11, 26, tzinfo=UTC)
GOOGLE = Settings(project="demo-project", project_number="100000000001", region="us-central1")
STAND_IN = msgspec.structs.replace(GOOGLE, endpoint="http://127.0.0.1:4711")
OBJECT = "sealtrain-demo-project-state"


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        (
            GOOGLE,
            f"raise budget_usd and apply, then gcloud storage rm gs://{OBJECT}/paused/2026-11.json",
        ),
        (
            STAND_IN,
            f"curl -X DELETE http://127.0.0.1:4711/storage/v1/b/{OBJECT}/o/paused%2F2026-11.json",
        ),
    ],
    ids=["on Google Cloud", "on the stand-in"],
)
def test_the_pause_is_lifted_by_a_command_that_works_there(
    settings: Settings, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gcloud knows nothing of the stand-in, and there is no budget to raise."""
    pause = budget.Pause(NOW, datetime(2026, 12, 1, tzinfo=UTC), 500.0, 500.0, "USD")
    monkeypatch.setattr(objects, "read", lambda *_: msgspec.json.encode(pause))
    line = doctor.check(cast(Api, None), settings, NOW)
    assert (line.state, line.mend) == ("warn", mend)
