"""Least privilege, proven: every right that the plan gives is used by a journey on the stand-in, or reviewed.

- The stand-in enforces world.json, and a gate says that this is the plan's (test_lists.py). It notes which
  permissions each binding gave; `make test` keeps them.
- Of our own roles each permission is a right of its own. Google's roles come whole: what journeys use of
  them is written down, and whether the rest could do harm.
- reviewed_rights.toml says of each right that no journey uses why it stays. A right that is used now, or is
  gone, must leave the list; one whose use is a matter of timing may be either.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Parts, World
from cli.deploy.stand_in import KEYBOARD
from cli.deploy.world import describe
from localcloud.identity.iam import predefined_roles
from tests.journeys.used_grants import FILE

PARTS = Parts(owner=KEYBOARD, archive="", workflows={"train": "", "tear_down": ""}, environment={})
REVIEWED = Path(__file__).with_name("reviewed_rights.toml")

# What could do harm in the hands of somebody who was not meant to have it.
HARMFUL = re.compile(
    r"\.(create|delete|update|upload|actAs|sign\w+|set\w*Policy|publish|get\w*Token)\w*$|useTo"
)


class Reviewed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rights that no journey uses, or not each time, and why they stay; labels as `rights` gives them."""

    reason: str
    rights: tuple[str, ...]


class Predefined(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What journeys use of one of Google's roles; and why one with a harmful rest is not narrowed."""

    used: tuple[str, ...]
    rest: str = ""


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """reviewed_rights.toml."""

    never: tuple[Reviewed, ...]
    sometimes: tuple[Reviewed, ...]
    predefined: dict[str, Predefined]


@cache
def review() -> Review:
    """The reviewed list."""
    return msgspec.convert(tomllib.loads(REVIEWED.read_text()), Review)


@cache
def worlds() -> list[tuple[Settings, World, dict[tuple[str, str, str, str], set[str]]]]:
    """Each world of the journeys: its settings, its description, and the permissions that each grant gave."""
    told: list[dict[str, Any]] = json.loads(FILE.read_text())["worlds"]
    assert told, f"no journey was run: {FILE} is empty"
    found = []
    for one in told:
        settings = Settings.from_environ(one["settings"])
        used = {
            (gave["on"], gave["role"], gave["member"], gave["condition"]): set(gave["permissions"])
            for gave in one["grants"]
        }
        found.append((settings, describe(settings, PARTS), used))
    return found


def label(grant: Grant, right: str, settings: Settings) -> str:
    """`member right on resource [if]` in the words of the deployment."""
    member = re.sub(r"^serviceAccount:(sealtrain-)?|@.*$|/workloadIdentityPools/.*", "", grant.member)
    agent = grant.member.partition("@")[2].split(".")[0]
    who = f"agent {agent}" if member.startswith(("service-", "bq-")) else member
    on = grant.on.replace(settings.project, "PROJECT").rpartition("projects/")[2]
    return f"{who} {right} on {on}{' if' if grant.condition else ''}"


def rights() -> Iterator[tuple[str, str, bool]]:
    """Every right in every world: its label, what tells those of one label apart, whether it was used."""
    for settings, world, used in worlds():
        roles = {one.name: one.body["includedPermissions"] for one in world.resources if one.kind == "role"}
        for grant in world.grants:
            gave = used.get((grant.on, grant.role, grant.member, grant.condition), set())
            if grant.role in roles:
                for permission in roles[grant.role]:
                    yield label(grant, permission, settings), grant.condition, permission in gave
            else:
                yield label(grant, grant.role, settings), grant.condition, bool(gave)


def idle() -> set[str]:
    """The rights that no world used; those of several images count as one."""
    there, used = set(), set()
    for name, condition, was_used in rights():
        there.add((name, condition))
        if was_used:
            used.add((name, condition))
    return {name for name, _ in there - used}


def test_every_right_is_used_by_a_journey_or_stays_for_a_reason() -> None:
    """A right that nobody uses is one too many."""
    listed = {right for one in (*review().never, *review().sometimes) for right in one.rights}
    assert sorted(idle() - listed) == []


def test_no_reason_stays_for_a_right_that_is_used_or_gone() -> None:
    """The list shrinks with the rights, and with every journey that uses one."""
    there = {name for name, _, _ in rights()}
    never = [right for one in review().never for right in one.rights]
    sometimes = [right for one in review().sometimes for right in one.rights]
    assert sorted(set(never) - idle()) == []
    assert sorted(set(sometimes) - there) == []
    assert len({*never, *sometimes}) == len([*never, *sometimes]), "a right is listed twice"
    assert [one for one in (*review().never, *review().sometimes) if len(one.reason.split()) < 3] == []


def test_of_googles_roles_the_part_that_is_used_is_written_down() -> None:
    """A narrower role is looked for when it changes."""
    used: dict[str, set[str]] = {}
    for _, world, gave in worlds():
        for grant in world.grants:
            if grant.role.startswith("roles/"):
                used.setdefault(grant.role, set())
        for (_, role, _, _), permissions in gave.items():
            if role in used:
                used[role] |= permissions
    assert used == {role: set(one.used) for role, one in review().predefined.items()}


def test_what_is_not_used_of_googles_roles_does_no_harm_or_is_explained() -> None:
    """Nobody gets a right to change or to open something along with another, unseen."""
    harmful = {
        role: sorted(p for p in predefined_roles()[role] - set(one.used) if HARMFUL.search(p))
        for role, one in review().predefined.items()
    }
    explained = {role for role, one in review().predefined.items() if one.rest}
    assert {role: found for role, found in harmful.items() if found and role not in explained} == {}
    assert {role for role in explained if not harmful[role]} == set()
