"""`sealtrain demo`, whole, and cut off in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.processes import ENV, of_state

DEMO = [sys.executable, "-m", "cli.main", "demo"]


def test_the_demo_gives_a_model_a_proof_and_an_empty_project(tmp_path: Path) -> None:
    """Exit 0; the promised files lie in out/RUN; the bundle verifies apart; nothing runs on."""
    shown = subprocess.run(
        DEMO, cwd=tmp_path, env=ENV, capture_output=True, text=True, timeout=280, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    (folder,) = (tmp_path / "out").iterdir()
    files = {file.name for file in folder.iterdir()}
    assert files == {"model", "bundle.json", "report.html", "report.json", "resources.json", "trust.json"}
    assert [file.suffix for file in (folder / "model").iterdir()] == [".safetensors"]
    assert f"run           {folder.name} succeeded" in shown.stdout
    assert "trust root    SIMULATED" in shown.stdout
    assert "inventory: nothing of the run bills" in shown.stdout
    verified = subprocess.run(
        [sys.executable, "-m", "cli.main", "verify", str(folder / "bundle.json"), "--json"],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(verified.stdout)["ok"] is True
    assert of_state(tmp_path) == []
    assert list((tmp_path / ".sealtrain").iterdir()) == []


def test_a_demo_that_is_interrupted_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a run: exit 130, every process ended, the state kept and named."""
    with subprocess.Popen(
        DEMO, cwd=tmp_path, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if " create_bucket " in line:
                break
        demo.send_signal(signal.SIGINT)
        _, told = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "the demo's state is kept" in told
    assert of_state(tmp_path) == []


def test_a_demo_that_takes_too_long_names_the_phase(tmp_path: Path) -> None:
    """Exit 4, and what was waited for; with --json stdout is one document all the same."""
    shown = subprocess.run(
        [*DEMO, "--within-s", "1", "--json"],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shown.returncode == 4
    assert "did not reach" in shown.stderr
    assert "within 1 s" in shown.stderr
    assert json.loads(shown.stdout)["error"]["code"] == "timeout"
    assert " deploy " in shown.stderr
    assert of_state(tmp_path) == []
