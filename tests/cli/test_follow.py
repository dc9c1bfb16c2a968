"""Waiting for a run, and for the attempts that follow it by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, later, run_of

from cli import follow, run_records
from cli.progress import Phase, Progress

SETTINGS = Settings(project="p", project_number="1", region="us-central1")
FIRST = Upload(bucket="b", object="incoming/a.csv", generation="1", attempt=1)


def test_whoever_waits_is_taken_to_the_attempt_that_ends_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A preempted run is not the end: its phases, which attempt follows as which run, and that one's end."""
    second = run_of(later(FIRST))
    close = Phase("close_run", "bundle and report were written", "2026-01-01T00:00:00Z")
    ends = {
        run_of(FIRST): Progress(run=run_of(FIRST), phases=(close,), outcome="failed", followed_by=second),
        second: Progress(run=second, phases=(close,), outcome="succeeded"),
    }
    told: list[Phase] = []

    def progress(_api: Any, _settings: Settings, run: str) -> Progress:
        return ends[run]

    monkeypatch.setattr(run_records, "progress", progress)

    found = follow.follow(None, SETTINGS, FIRST, 10, told.append)  # type: ignore[arg-type]

    assert (found.run, found.outcome) == (second, "succeeded")
    assert [phase.word for phase in told] == ["close_run", "go_on", "close_run"]
    assert told[1].sentence == f"preempted: attempt 2 follows as run {second}"
