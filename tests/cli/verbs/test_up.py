"""`sealtrain up` as a person meets it: a process, its one line, its record, its end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import ENV, of_state

END_WITHIN_S = 40


@contextmanager
def up(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running `sealtrain up --json` in a folder, and what it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "up", "--json"],
        cwd=folder,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(END_WITHIN_S)


def sealtrain(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """One other verb in the same folder."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env=ENV | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user's own."""
    return tmp_path_factory.mktemp("user")


def test_up_serves_others_in_its_folder_and_goes_on_after_a_restart(folder: Path) -> None:
    """One JSON line; verbs find it; the official client follows its exports; the state outlives it."""
    with up(folder) as (_, said):
        assert {"endpoint", "project", "inbox", "region", "front", "console", "exports"} <= set(said)
        assert set(said["trainers"]) == {"tabular"}
        with urllib.request.urlopen(said["console"], timeout=10) as page:  # noqa: S310 - our own loopback
            assert "text/html" in page.headers["Content-Type"]
        put = (
            "from google.cloud import storage\n"
            f"blob = storage.Client().bucket({said['inbox']!r}).blob('elsewhere/note.txt')\n"
            "blob.upload_from_string('hello')\n"
        )
        environ = dict(said["exports"])
        subprocess.run([sys.executable, "-c", put], env=ENV | environ, check=True, timeout=60)
        assert json.loads(sealtrain(folder, "runs", "--json").stdout) == {"runs": []}
        second = sealtrain(folder, "up")
        assert second.returncode == 2
        assert "already runs on this state" in second.stderr
    assert of_state(folder) == []
    assert sealtrain(folder, "runs").returncode == 3
    with up(folder) as (_, again):
        assert again["endpoint"] == said["endpoint"]
        look = (
            "from google.cloud import storage\n"
            f"print(storage.Client().bucket({said['inbox']!r}).blob('elsewhere/note.txt').download_as_text())"
        )
        seen = subprocess.run(
            [sys.executable, "-c", look],
            env=ENV | again["exports"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert seen.stdout == "hello\n"


def test_a_run_that_nobody_knows_is_said_so(folder: Path) -> None:
    """Exit 2 and the list to look at."""
    with up(folder):
        for verb in (["status"], ["teardown"], ["fetch", "-o", "x"]):
            shown = sealtrain(folder, verb[0], "r0123456789ab", *verb[1:])
            assert shown.returncode == 2
            assert "no such run here" in shown.stderr
            assert "sealtrain runs" in shown.stderr
        assert sealtrain(folder, "logs", "r0123456789ab").stdout.startswith("no log entries")
