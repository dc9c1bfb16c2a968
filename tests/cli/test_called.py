"""Commands in our own lines can be pasted: they are named as this program was called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.called import called, pasteable
from cli.output import emit, note, say

SCRIPT = Path(sys.executable).with_name("sealtrain")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `sealtrain` in an environment that is not on PATH, called by its whole path from above it."""
    file = tmp_path / "a b" / "bin" / "sealtrain"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(file), "runs"])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return file


def test_off_the_path_it_is_called_by_its_place(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below this folder the short way, quoted for a shell; from elsewhere the whole path."""
    assert called() == "'a b/bin/sealtrain'"
    (program.parents[2] / "elsewhere").mkdir()
    monkeypatch.chdir(program.parents[2] / "elsewhere")
    assert called() == f"'{program}'"


def test_on_the_path_it_is_called_by_its_name(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if the name leads to this very program, and not to another of the same name."""
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert called() == "sealtrain"
    other = program.parents[2] / "other" / "sealtrain"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{other.parent}:{program.parent}")
    assert called() == "'a b/bin/sealtrain'"


def test_called_as_a_module_it_has_its_plain_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no program to name then."""
    monkeypatch.setattr(sys, "argv", [__file__])
    assert called() == "sealtrain"


def test_lines_for_people_name_it_so_and_a_document_does_not(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout and stderr; what `--json` carries may go to another machine."""
    said = "do: `sealtrain status r0123456789ab`"
    say(said)
    note(said)
    emit({"remedy": said})
    shown = capsys.readouterr()
    assert "`'a b/bin/sealtrain' status r0123456789ab`" in shown.out.splitlines()[0]
    assert "`'a b/bin/sealtrain' status r0123456789ab`" in shown.err
    assert "`sealtrain status r0123456789ab`" in shown.out.splitlines()[1]
    assert pasteable("gs://sealtrain-demo/a sealtrain up.csv") == "gs://sealtrain-demo/a sealtrain up.csv"


def test_an_error_of_the_installed_program_can_be_pasted(tmp_path: Path) -> None:
    """Without a deployment `.venv/bin/sealtrain runs` says `.venv/bin/sealtrain up`."""
    (tmp_path / ".venv").symlink_to(SCRIPT.parents[1])
    ran = subprocess.run(
        [".venv/bin/sealtrain", "runs"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3
    assert "do: start one with `.venv/bin/sealtrain up` in another terminal" in ran.stderr
