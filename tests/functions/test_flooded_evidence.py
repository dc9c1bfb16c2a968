"""A machine that knows another run may write what it likes below `shown/`: it is in nobody's way there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sealtrain.listeners import record_attestation, record_completion, tear_down
from sealtrain.rules import names
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.proof import RUN_ENDED
from sealtrain.steps import close_run, publish_model, submit_job, verify_evidence

from tests.functions.closing import World

FLOOD = 5000


class Watched:
    """The world's storage; counts what it is asked, and lets nothing be listed where machines write."""

    def __init__(self, storage: Any) -> None:
        self._storage, self.asked = storage, 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self._storage, name)

    def list(self, bucket: str, prefix: str = "") -> list[Any]:
        """A listing, if no machine can make it longer."""
        assert not prefix.startswith("shown/")
        assert prefix or not bucket.endswith("-evidence")
        found: list[Any] = self._storage.list(bucket, prefix)
        return found


def renewed(world: World, run: str, **claims: Any) -> None:
    """An hour later the machine shows a fresh token."""
    world.time += timedelta(hours=1)
    world.storage.created = world.time.isoformat()
    now = int(world.time.timestamp())
    world.attest(run, **{"iat": now, "nbf": now, "exp": now + 3600, **claims})


def trained(flood: bool) -> tuple[World, str]:
    """A run that attested again, while another machine wrote thousands of records into its folder."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    world.call(submit_job, run=run)
    good = world.storage.get(world.evidence, names.token(run))
    for number in range(FLOOD if flood else 0):
        below = f"{names.shown_prefix(run)}{number:05d}"
        for name in (f"{below}/token.json", f"{below}-{number:032x}/token.json"):
            world.storage.put(world.evidence, name, good)
    renewed(world, run)
    return world, run


def look(world: World, run: str) -> None:
    world.call(verify_evidence, run=run)


def hear(world: World, run: str) -> None:
    assert world.call_raw(record_attestation, world.log_entry(run)).alarm == ""


def end(world: World, run: str) -> None:
    world.call(record_completion, **world.word(run, "succeeded"))
    world.train(run)
    world.call(publish_model, run=run)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.call(close_run, run=run, failure=None)


@pytest.mark.parametrize("act", [look, hear, end])
def test_a_flood_costs_the_functions_nothing(act: Callable[[World, str], None]) -> None:
    """The other run goes on and ends well, and not one request more is made than without the flood."""
    asked = []
    for flood in (False, True):
        world, run = trained(flood)
        watched = Watched(world.storage)
        world.storage = watched  # type: ignore[assignment]
        act(world, run)
        asked.append(watched.asked)
    assert asked[0] == asked[1]


def test_a_flood_hides_no_token_of_the_machines_own() -> None:
    """A token that does not meet the policy any more is found under it; so is the silence after it."""
    world, run = trained(flood=True)
    renewed(world, run, dbgstat="enabled")
    with pytest.raises(EvidenceError, match="debug"):
        world.call(verify_evidence, run=run)
    quiet, run = trained(flood=True)
    quiet.time += timedelta(hours=2, minutes=1)
    with pytest.raises(EvidenceError, match="silence"):
        quiet.call(verify_evidence, run=run)
