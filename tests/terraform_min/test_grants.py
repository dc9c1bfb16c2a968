"""Least privilege, proven: every grant of the plan was used by some journey on the stand-in, which asks for
each.

- The stand-in enforces what is in world.json, and a gate says that this is the plan's (test_lists.py).
- A grant that no journey uses is listed here with the reason that it stays, or it goes.
- The stand-in asks for the main permission of a method; a permission inside a role that only Google asks
  for cannot be shown to be needed here (IDLE_PERMISSIONS).
"""

from __future__ import annotations

import json
from typing import Any

from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Parts, World
from cli.deploy.stand_in import KEYBOARD
from cli.deploy.world import describe
from tests.journeys.used_grants import FILE

Key = tuple[str, str, str, str]
PARTS = Parts(owner=KEYBOARD, archive="", workflows={"train": "", "tear_down": ""}, environment={})

# What no journey uses: (end of the member or its word, role's last part, end of the resource), reason.
IDLE: dict[tuple[str, str, str], str] = {}


def told() -> list[dict[str, Any]]:
    """What the journeys of the last test run used; `make gates` runs them if there is none."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text())
    return found


def granted(one: dict[str, Any]) -> World:
    """The description of that world."""
    return describe(Settings.from_environ(one["settings"]), PARTS)


def short(text: str, settings: dict[str, str]) -> str:
    """Without what differs between worlds."""
    return text.replace(settings["SEALTRAIN_PROJECT"], "PROJECT").replace(
        settings["SEALTRAIN_PROJECT_NUMBER"], "NUMBER"
    )


def key(grant: Grant, settings: dict[str, str]) -> Key:
    """A grant by what it says."""
    on, role, member, condition = (
        short(t, settings) for t in (grant.on, grant.role, grant.member, grant.condition)
    )
    return on, role, member, condition
