"""Tests of `steps.create_key`."""

import msgspec
import pytest
from sealtrain.rules import names
from sealtrain.rules.errors import ConflictError, NotReadyError
from sealtrain.steps import create_key

from tests.functions.memory import DiedError, World


def test_the_key_is_made_once_and_stands_in_the_ledger() -> None:
    """Calling twice gives the same key; intent and outcome are on record."""
    world = World()
    run = world.admit()
    first = world.call(create_key, run=run)
    assert world.call(create_key, run=run) == first
    key = world.kms.keys[first.key]
    assert key.protection == "HSM"
    assert key.rotation_s is None
    assert key.labels["sealtrain-run"] == run
    assert world.phases(run) == [("key", "intent"), ("key", "made")]


@pytest.mark.parametrize("after", [1, 2])
def test_a_call_that_died_is_taken_up(after: int) -> None:
    """The intent stands before the key; whoever comes again finishes."""
    world = World()
    run = world.admit()
    world.storage.dies_at = world.storage.writes + after
    with pytest.raises(DiedError):
        world.call(create_key, run=run)
    assert bool(world.kms.keys) == (after == 2)
    world.call(create_key, run=run)
    assert world.phases(run) == [("key", "intent"), ("key", "made")]


def test_a_key_that_the_hsm_still_makes_is_not_ready() -> None:
    """The step says try again, and does not claim the key as made."""
    world = World()
    world.kms.state = "PENDING_GENERATION"
    run = world.admit()
    with pytest.raises(NotReadyError):
        world.call(create_key, run=run)
    assert world.phases(run) == [("key", "intent")]


@pytest.mark.parametrize(
    "change",
    [{"protection": "SOFTWARE"}, {"labels": {}}, {"purpose": "ASYMMETRIC_SIGN"}, {"rotation_s": 86400}],
)
def test_another_key_of_that_name_is_a_conflict(change: dict[str, object]) -> None:
    """A key that differs where it matters is not taken for ours."""
    world = World()
    run = world.admit()
    world.call(create_key, run=run)
    name = names.run_key(world.settings, run)
    world.kms.keys[name] = msgspec.structs.replace(world.kms.keys[name], **change)
    with pytest.raises(ConflictError) as caught:
        world.call(create_key, run=run)
    assert next(iter(change)) in (caught.value.body.field or "")
