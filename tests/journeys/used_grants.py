"""What the journeys' grants were used for, kept for the gate that asks whether any is idle (`make gates`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.deploy.stand_in import environment
from tests.journeys.world import World

FILE = Path(__file__).parents[2] / "build" / "used-grants.json"


class UsedGrants:
    """Gathers over all worlds of a session, since each journey uses only some."""

    def __init__(self) -> None:
        self._worlds: list[dict[str, Any]] = []

    def note(self, world: World) -> None:
        """Take what a world tells, before it ends."""
        used = world.get("/_control/grants")["grants"]
        self._worlds.append({"settings": environment(world.settings), "grants": used})

    def write(self) -> None:
        """Keep it."""
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(self._worlds, indent=1) + "\n")
