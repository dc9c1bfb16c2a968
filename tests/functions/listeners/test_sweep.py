"""The net below the workflow: what outlived its run is found, and its teardown asked for."""

from datetime import timedelta

from sealtrain.listeners import sweep, tear_down
from sealtrain.rules import names

from tests.functions.closing import World


def asked(world: World) -> dict[str, str]:
    world.pubsub.published.clear()
    world.call(sweep)
    return {body["run"]: body["reason"] for _, body in world.pubsub.published}


def test_living_run_is_left_alone() -> None:
    """A run before its end is not touched, even with a machine standing."""
    world = World()
    world.start()
    assert asked(world) == {}


def test_run_past_its_end_is_swept() -> None:
    """A claimed run that was not closed by its end is asked to go; without the workflow it still goes."""
    world = World()
    run = world.start()
    world.time += timedelta(days=8)
    assert list(asked(world)) == [run]
    world.call(tear_down, run=run)
    assert asked(world) == {}


def test_closed_run_that_left_nothing_is_left_alone() -> None:
    """A closed run is looked at no more, however old."""
    world = World()
    world.end(world.succeed())
    world.time += timedelta(days=30)
    assert asked(world) == {}


def test_leftover_of_a_closed_run_is_swept_at_once() -> None:
    """Something that stands after its run was closed is asked to go, before any expiry."""
    world = World()
    run = world.succeed()
    machine = world.compute.found.copy()
    world.end(run)
    world.compute.found |= machine
    assert "closed run" in asked(world)[run]


def test_resource_of_an_unknown_run_is_swept() -> None:
    """A machine, bucket or key under our names whose run has no record is asked to go."""
    world = World()
    run = world.start()
    for key in [key for key in world.storage.objects if key[0] != names.inbox_bucket(world.settings)]:
        del world.storage.objects[key]
    assert list(asked(world)) == [run]
    world.compute.found.clear()
    world.storage.buckets.clear()
    assert list(asked(world)) == [run]  # its key still stands


def test_broken_record_does_not_keep_a_machine_alive() -> None:
    """A run whose job record cannot be read counts as past its end."""
    world = World()
    run = world.start()
    world.storage.put(names.state_bucket(world.settings), names.job(run), b"{")
    assert list(asked(world)) == [run]


def test_claim_without_a_job_ends_soon() -> None:
    """A claimed run that was never admitted is looked at after an hour, and leaves a proof."""
    world = World()
    run = world.admit()
    world.storage.delete(names.state_bucket(world.settings), names.job(run))
    assert asked(world) == {}
    world.time += timedelta(hours=2)
    assert list(asked(world)) == [run]
    world.call(tear_down, run=run)
    assert asked(world) == {}
