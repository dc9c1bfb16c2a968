"""The stories on a real project, if SEALTRAIN_LIVE_PROJECT names one; always, that their dry run is whole.

The other settings come from the environment, as for the command line.
"""

from __future__ import annotations

import os

import pytest
from sealtrain.rules.settings import Settings

from tests.live.__main__ import calls
from tests.live.cloud import Cloud
from tests.live.stories import STORIES

PROJECT = os.environ.get("SEALTRAIN_LIVE_PROJECT", "")


@pytest.mark.skipif(not PROJECT, reason="SEALTRAIN_LIVE_PROJECT names no project")
@pytest.mark.parametrize("name", STORIES)
def test_on_a_real_project(name: str) -> None:
    """As the story says."""
    STORIES[name](Cloud(Settings.from_environ({**os.environ, "SEALTRAIN_PROJECT": PROJECT}), dry=False))


def test_a_dry_run_prints_each_call() -> None:
    """Upload, wait, look, tidy up, at Google's own addresses; nothing is sent."""
    told = calls("my-project")
    assert told["main_job"][0] == (
        "POST https://storage.googleapis.com/upload/storage/v1/b/sealtrain-my-project-inbox/o"
        "?uploadType=media&name=incoming/live-main.csv"
    )
    assert [call.split()[0] for call in told["main_job"]] == ["POST", "GET", "GET", "GET", "GET", "DELETE"]
    assert any(
        call.startswith(
            "POST https://workflowexecutions.googleapis.com/v1/projects/my-project/locations/us-central1/workflows/train/"
        )
        for call in told["direct_execution"]
    )
    assert any(call.endswith(":decrypt") for call in told["operator_cannot_open"])
    assert all(call.split()[1].startswith("https://") for printed in told.values() for call in printed)
