"""Small doses of the long stories in soak.py: kills of the stand-in, many runs at once."""

from __future__ import annotations

from pathlib import Path

from tests.journeys import soak
from tests.journeys.world import World


def test_runs_close_as_if_nothing_had_been_after_kills(tmp_path: Path) -> None:
    """kill -9 of the stand-in at three random moments: state, workflow, VM and messages are still there."""
    assert soak.kills(tmp_path / "world", count=3, seed=3, longest_life_s=6) >= 1


def test_several_runs_at_once_close_and_leave_nothing(world: World) -> None:
    """Five uploads at the same moment: each closes like one alone."""
    assert len(soak.runs_at_once(world, count=5)) == 5
