"""Tests of `listeners.start_run`."""

import pytest
from sealtrain.listeners import start_run
from sealtrain.rules import names

from tests.functions.memory import World


def test_an_upload_starts_the_workflow_with_its_generation() -> None:
    """The argument is what the workflow takes; the run id is known already."""
    world = World()
    found = world.call(start_run, bucket=world.inbox, name="incoming/data.csv", generation="7")
    ((workflow, argument),) = world.executions.started
    assert workflow == names.workflow(world.settings, "train")
    assert argument == {"bucket": world.inbox, "object": "incoming/data.csv", "generation": "7", "attempt": 1}
    assert found.run == names.run_id(world.inbox, "incoming/data.csv", "7", 1)


@pytest.mark.parametrize(
    ("bucket", "name"),
    [("", "incoming/set/part.csv"), ("", "refused/r0123456789ab.json"), ("other", "incoming/data.csv")],
)
def test_other_objects_start_nothing(bucket: str, name: str) -> None:
    """Data of a set, refusals and other buckets are left alone."""
    world = World()
    assert world.call(start_run, bucket=bucket or world.inbox, name=name, generation="7") is None
    assert world.executions.started == []


def test_a_bad_name_starts_too() -> None:
    """So that its refusal is written where the owner finds it."""
    world = World()
    assert world.call(start_run, bucket=world.inbox, name="incoming/..", generation="7")
