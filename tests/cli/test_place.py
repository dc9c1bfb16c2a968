"""Which deployment a verb speaks to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.errors import CommandError, PlaceError
from cli.place import RECORD, Running, find, forget_record, read_record, write_record

SETTINGS = {
    "SEALTRAIN_PROJECT": "demo-project",
    "SEALTRAIN_PROJECT_NUMBER": "100000000001",
    "SEALTRAIN_REGION": "us-central1",
    "SEALTRAIN_ENDPOINT": "http://127.0.0.1:4711",
}
NO_PROCESS = 2**22 + 1  # above the kernel's largest process id


def record(pid: int) -> Running:
    """A record of a stand-in."""
    return Running(
        pid=pid,
        state="/x",
        endpoint="http://127.0.0.1:4711",
        front="http://127.0.0.1:4712",
        console="http://127.0.0.1:4711/_control/inventory",
        settings=SETTINGS,
    )


def test_the_running_stand_in_of_the_folder_is_found(tmp_path: Path) -> None:
    """Verbs in the same folder need no exports."""
    write_record(tmp_path, record(os.getpid()))
    assert find({}, tmp_path).endpoint == "http://127.0.0.1:4711"


def test_the_environment_wins_over_the_record(tmp_path: Path) -> None:
    """Explicit settings name another deployment, here one on Google Cloud."""
    write_record(tmp_path, record(os.getpid()))
    environ = {
        "SEALTRAIN_PROJECT": "real-project",
        "SEALTRAIN_PROJECT_NUMBER": "42",
        "SEALTRAIN_REGION": "europe-west4",
    }
    settings = find(environ, tmp_path)
    assert (settings.project, settings.endpoint) == ("real-project", None)


def test_a_stand_in_that_died_counts_as_none(tmp_path: Path) -> None:
    """A record outlives a kill; its process does not."""
    write_record(tmp_path, record(NO_PROCESS))
    with pytest.raises(PlaceError, match="no deployment is known"):
        find({}, tmp_path)


def test_a_broken_record_is_refused_with_its_path(tmp_path: Path) -> None:
    """Half a file is not guessed at."""
    (tmp_path / RECORD).parent.mkdir()
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(CommandError, match=r"running\.json"):
        find({}, tmp_path)


def test_only_its_own_record_is_forgotten(tmp_path: Path) -> None:
    """A stand-in that ends does not remove the record of another one."""
    write_record(tmp_path, record(os.getpid()))
    forget_record(tmp_path, NO_PROCESS)
    assert read_record(tmp_path) is not None
    forget_record(tmp_path, os.getpid())
    assert read_record(tmp_path) is None
