"""Least privilege, proven: every grant of the plan is used by some journey on the stand-in.

- The stand-in enforces world.json, and a gate says that this is the plan's (test_lists.py).
- A grant that no journey uses is listed here with the reason that it stays, or it goes.
- Whether each permission inside a used role is needed, the stand-in cannot tell: it asks for a method's main
  permission. Custom roles hold only what one line of the step table says.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Parts
from cli.deploy.stand_in import KEYBOARD
from cli.deploy.world import describe
from tests.journeys.used_grants import FILE

PARTS = Parts(owner=KEYBOARD, archive="", workflows={"train": "", "tear_down": ""}, environment={})

# What a grant is called here (see `called`), as a pattern -> why it stays although no journey uses it.
IDLE: dict[str, str] = {}


def called(grant: Grant, settings: Settings) -> str:
    """`member role on [if]` in the words of the deployment."""
    member = re.sub(r"^serviceAccount:(sealtrain-)?|@.*$|/workloadIdentityPools/.*", "", grant.member)
    agent = grant.member.partition("@")[2].split(".")[0]
    who = f"agent {agent}" if member.startswith(("service-", "bq-")) else member
    on = grant.on.replace(settings.project, "PROJECT").rpartition("projects/")[2]
    return f"{who} {grant.role.rpartition('/')[2]} on {on}{' if' if grant.condition else ''}"


def idle() -> set[str]:
    """The grants that no world of the journeys used."""
    worlds: list[dict[str, Any]] = json.loads(FILE.read_text())
    unused: set[str] | None = None
    for told in worlds:
        settings = Settings.from_environ(told["settings"])
        used = {(one["on"], one["role"], one["member"], one["condition"]) for one in told["grants"]}
        here = {
            called(grant, settings)
            for grant in describe(settings, PARTS).grants
            if (grant.on, grant.role, grant.member, grant.condition) not in used
        }
        unused = here if unused is None else unused & here
    assert unused is not None, f"no journey was run: {FILE} is empty"
    return unused


def test_every_grant_is_used_by_a_journey_or_stays_for_a_reason() -> None:
    """A right that nobody uses is one too many."""
    unexplained = [one for one in sorted(idle()) if not any(re.fullmatch(word, one) for word in IDLE)]
    assert unexplained == []


def test_no_reason_stays_for_a_grant_that_is_used_or_gone() -> None:
    """The list shrinks with the grants."""
    unused = idle()
    assert [word for word in IDLE if not any(re.fullmatch(word, one) for one in unused)] == []
