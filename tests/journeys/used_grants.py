"""What the journeys' grants were used for, kept for the gate that asks whether any is idle (`make gates`)."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

from cli.deploy.stand_in import environment
from tests.journeys.world import World

FILE = Path(__file__).parents[2] / "build" / "used-grants.json"


class UsedGrants:
    """Gathers over all worlds of a test run, since each journey uses only some.

    A run may have several processes side by side; whoever ends adds to what others of the same run kept.
    """

    def __init__(self, test_run: str) -> None:
        self._test_run = test_run
        self._worlds: list[dict[str, Any]] = []

    def note(self, world: World) -> None:
        """Take what a world tells, before it ends."""
        used = world.get("/_control/grants")["grants"]
        self._worlds.append({"settings": environment(world.settings), "grants": used})

    def write(self) -> None:
        """Keep it."""
        FILE.parent.mkdir(exist_ok=True)
        with FILE.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            kept = json.loads(file.read() or "{}")
            same = isinstance(kept, dict) and kept.get("test_run") == self._test_run
            worlds = [*(kept["worlds"] if same else []), *self._worlds]
            file.truncate(0)
            file.write(json.dumps({"test_run": self._test_run, "worlds": worlds}, indent=1) + "\n")
