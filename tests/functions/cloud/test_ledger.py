"""Tests of `cloud.ledger` and `cloud.state`."""

import msgspec
import pytest
from sealtrain.rules.errors import ConflictError, InvalidRequestError, NotFoundError
from sealtrain.rules.order import HeldKey

from tests.functions.memory import World

RUN = "r0123456789ab"


def test_an_entry_is_kept_once() -> None:
    """A repeated entry gives back the first, with its time."""
    world = World()
    first = world.ledger.made(RUN, "key", "p/keys/k", {"id": "1"})
    assert world.ledger.made(RUN, "key", "p/keys/k", {"id": "1"}) == first
    assert world.ledger.entries(RUN) == [first]


def test_an_entry_that_tells_another_story_is_a_conflict() -> None:
    """A VM made again under the same name would be another VM."""
    world = World()
    world.ledger.made(RUN, "instance", "p/zones/z/instances/m", {"id": "1"})
    with pytest.raises(ConflictError):
        world.ledger.made(RUN, "instance", "p/zones/z/instances/m", {"id": "2"})


def test_entries_of_other_runs_are_not_seen() -> None:
    """A run's ledger is its own."""
    world = World()
    world.ledger.intent("r000000000000", "key", "p/keys/k")
    assert world.ledger.entries(RUN) == []


def test_a_record_is_kept_once() -> None:
    """Whoever comes second gets what stands."""
    world = World()
    first, second = (HeldKey(order_digest=d, wrapped_key="", key_version="") for d in "ab")
    assert world.state.keep("x.json", first) == first
    assert world.state.keep("x.json", second) == first
    assert world.state.find("x.json", HeldKey) == first


def test_a_record_that_is_missing_or_broken_is_told() -> None:
    """Missing is not found, broken is refused by name."""
    world = World()
    assert world.state.find("x.json", HeldKey) is None
    with pytest.raises(NotFoundError):
        world.state.plan(RUN)
    world.state.keep("x.json", msgspec.convert({"order_digest": "d"}, dict))
    with pytest.raises(InvalidRequestError, match=r"x\.json"):
        world.state.find("x.json", HeldKey)
