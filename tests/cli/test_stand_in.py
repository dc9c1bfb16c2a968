"""The stand-in as our child process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from cli.errors import CommandError, PlaceError
from cli.stand_in import StandIn

ROOT = Path(__file__).parents[2]


def test_a_second_one_on_the_same_state_is_refused_and_says_so(stand_in: StandIn) -> None:
    """Two on one state would write over each other."""
    with (
        pytest.raises(CommandError, match="already runs on this state") as refused,
        StandIn(stand_in.state, 0, {}),
    ):
        pass
    assert str(os.getpid()) in str(refused.value.body.got)
    assert requests.get(f"{stand_in.ready.endpoint}/_control/health", timeout=5).ok


def test_one_that_cannot_start_says_why(stand_in: StandIn, tmp_path: Path) -> None:
    """A taken port: the last line of its log is quoted, and nothing is left locked."""
    port = int(stand_in.ready.endpoint.rpartition(":")[2])
    with pytest.raises(PlaceError, match="did not start"), StandIn(tmp_path, port, {}):
        pass
    with StandIn(tmp_path, 0, {}) as other:
        assert other.ready.project


def test_it_does_not_outlive_us(tmp_path: Path) -> None:
    """When the command line is killed without warning, the stand-in ends too."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom cli.stand_in import StandIn\n"
        f"with StandIn(Path({str(tmp_path)!r}), 0, {{}}) as running:\n"
        "    print(running.ready.endpoint, flush=True)\n"
        "    time.sleep(120)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        endpoint = parent.stdout.readline().strip()
        assert requests.get(f"{endpoint}/_control/health", timeout=5).ok
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            requests.get(f"{endpoint}/_control/health", timeout=1)
        except requests.Timeout:
            continue
        except requests.RequestException:  # refused, or cut off in the middle
            return
    pytest.fail("the stand-in still answers")


def test_a_restart_takes_another_port_if_its_own_was_taken(tmp_path: Path) -> None:
    """The port of before is a wish, not a condition."""
    with StandIn(tmp_path, 0, {}) as first:
        port = int(first.ready.endpoint.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), StandIn(tmp_path, 0, {}) as second:
        assert second.ready.endpoint != first.ready.endpoint
