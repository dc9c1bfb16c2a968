"""What processes of a test still live, and the environment that `sealtrain` runs in here."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
ENV = {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}", "PATH": os.environ["PATH"]}


def of_state(folder: Path) -> list[str]:
    """Command lines of living processes that work on this folder's state."""
    place = str(folder / ".sealtrain")
    found = []
    for process in psutil.process_iter():
        try:
            line, where = " ".join(process.cmdline()), process.cwd()
        except psutil.Error:
            continue
        if place in line or where.startswith(place):
            found.append(line)
    return found
