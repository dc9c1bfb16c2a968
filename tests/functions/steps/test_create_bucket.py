"""Tests of `steps.create_bucket`."""

import msgspec
import pytest
from sealtrain.rules import names
from sealtrain.rules.errors import ConflictError
from sealtrain.steps import create_bucket

from tests.functions.memory import DiedError, World


def test_the_bucket_is_made_once_and_stands_in_the_ledger() -> None:
    """Calling twice gives the same bucket, with our key and labels."""
    world = World()
    run = world.admit()
    first = world.call(create_bucket, run=run)
    assert world.call(create_bucket, run=run) == first
    bucket = world.storage.buckets[first.bucket]
    assert bucket.kms_key == names.storage_key(world.settings)
    assert bucket.labels == names.labels(world.settings, run, world.state.job(run).expires)
    assert world.phases(run) == [("bucket", "intent"), ("bucket", "made")]


@pytest.mark.parametrize("after", [1, 2])
def test_a_call_that_died_is_taken_up(after: int) -> None:
    """The intent stands before the bucket; whoever comes again finishes."""
    world = World()
    run = world.admit()
    world.storage.dies_at = world.storage.writes + after
    with pytest.raises(DiedError):
        world.call(create_bucket, run=run)
    assert bool(world.storage.buckets) == (after == 2)
    world.call(create_bucket, run=run)
    assert world.phases(run) == [("bucket", "intent"), ("bucket", "made")]


@pytest.mark.parametrize(
    "change",
    [
        {"kms_key": None},
        {"uniform_access": False},
        {"soft_delete_s": 604800},
        {"location": "us"},
        {"labels": {}},
    ],
)
def test_another_bucket_of_that_name_is_a_conflict(change: dict[str, object]) -> None:
    """A bucket that differs where it matters is not taken for ours."""
    world = World()
    run = world.admit()
    name = world.call(create_bucket, run=run).bucket
    world.storage.buckets[name] = msgspec.structs.replace(world.storage.buckets[name], **change)
    with pytest.raises(ConflictError):
        world.call(create_bucket, run=run)
