"""A workload that waits to be told to stop, and leaves a child behind."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import psutil

from tests.localcloud.conftest import eventually

# Starts a grandchild that leaves the process group, says the numbers, and waits to be told to stop.
WAITS = """
import json, os, pathlib, signal, subprocess, sys, time

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)

def stop(*_):
    pathlib.Path(sys.argv[1] + ".stopped").write_text("SIGTERM")
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).write_text(json.dumps([os.getpid(), child.pid]))
while not pathlib.Path(sys.argv[1] + ".go").exists():
    time.sleep(0.02)
"""


def numbers(file: Path) -> list[int]:
    eventually(file.exists, 20)
    found: list[int] = eventually(lambda: file.read_text() and json.loads(file.read_text()))
    return found


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
