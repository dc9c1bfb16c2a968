"""The workload's last word: kept once, then the workflow is woken."""

import json

import pytest
from sealtrain.listeners import record_completion
from sealtrain.rules import names
from sealtrain.rules.errors import InvalidRequestError, RefusedError, UnavailableError

from tests.functions.closing import World


def kept(world: World, run: str) -> dict[str, object]:
    state = names.state_bucket(world.settings)
    found: dict[str, object] = json.loads(world.storage.get(state, names.completion(run)))
    return found


def test_completion_is_kept_and_the_workflow_woken() -> None:
    """The first message is recorded with its time, and the stored callback is posted."""
    world = World()
    run = world.start()
    found = world.call(record_completion, run=run, state="succeeded", receipt_digest="sha256:x")
    assert (found.recorded, found.woken) == ("first", True)
    assert kept(world, run)["receipt_digest"] == "sha256:x"
    [(url, body)] = world.executions.posted
    assert url == "http://127.0.0.1:1/callback"
    assert body == {"run": run, "state": "succeeded"}


def test_repeated_message_wakes_again_and_keeps_the_first() -> None:
    """The same message twice keeps one record; the second delivery wakes too, if the first could not."""
    world = World()
    run = world.start()
    world.call(record_completion, run=run, state="failed", reason="trainer_failed")
    first = kept(world, run)
    found = world.call(record_completion, run=run, state="failed", reason="trainer_failed")
    assert (found.recorded, len(world.executions.posted)) == ("repeated", 2)
    assert kept(world, run) == first


def test_contradicting_message_changes_nothing() -> None:
    """A later, different message neither replaces the record nor wakes anybody."""
    world = World()
    run = world.start()
    world.call(record_completion, run=run, state="failed", reason="trainer_failed")
    found = world.call(record_completion, run=run, state="succeeded")
    assert (found.recorded, found.woken, found.state) == ("contradicted", False, "failed")
    assert len(world.executions.posted) == 1


def test_late_message_finds_nobody_waiting() -> None:
    """A message after the workflow went on is recorded and done."""
    world = World()
    run = world.start()
    world.executions.deaf = True
    assert not world.call(record_completion, run=run, state="succeeded").woken
    assert kept(world, run)["state"] == "succeeded"


def test_unknown_run_is_refused() -> None:
    """A message about a run that nobody claimed writes nothing."""
    world = World()
    with pytest.raises(RefusedError, match="ever claimed"):
        world.call(record_completion, run="r000000000000", state="succeeded")
    with pytest.raises(InvalidRequestError):
        world.call(record_completion, run="../x", state="succeeded")
    assert world.storage.objects == {}


def test_unreachable_workflow_is_tried_again() -> None:
    """When the callback cannot be posted, the error comes out, and a redelivery wakes."""
    world = World()
    run = world.start()
    real = world.executions.post_callback

    def broken(url: str, body: object) -> None:
        raise UnavailableError("no connection")

    world.executions.post_callback = broken  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        world.call(record_completion, run=run, state="succeeded")
    world.executions.post_callback = real  # type: ignore[method-assign]
    assert world.call(record_completion, run=run, state="succeeded").woken
