"""A checkpoint is gone on from only if its machine was trusted and its signed word names it."""

from __future__ import annotations

from typing import Any

import pytest
from sealtrain.listeners import record_completion, tear_down
from sealtrain.rules import canonical, names
from sealtrain.rules.errors import EvidenceError
from sealtrain.steps import seal_dataset

from tests.functions.attempts import Attempts


def test_a_forged_checkpoint_is_refused_with_the_reason() -> None:
    """Other bytes than those that the machine's signed word names: a holder of the account put them."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    world.storage.put(world.checkpoints, names.checkpoint_manifest(first), b"forged")
    with pytest.raises(EvidenceError, match="not the one that its machine left") as caught:
        world.attempt(2)
    told = caught.value.body
    assert told.field == names.checkpoint_manifest(first)
    assert told.got == canonical.digest(b"forged")
    assert told.expected == canonical.digest(b"manifest of " + first.encode())
    assert f"sealtrain teardown {first}" in str(told.remedy)
    world.call(tear_down, run=first, reason="asked for by the owner")
    world.call(seal_dataset, run=world.run(2))
    assert world.resumed(world.run(2)) is None


def test_what_appears_after_a_machine_left_none_is_not_gone_on_from() -> None:
    """Its word says that there is no checkpoint: the next attempt begins anew, whatever lies there later."""
    world = Attempts()
    first = world.attempt(1)
    world.work(first)
    world.end(first, "preempted")
    world.leave_checkpoint(first)
    assert world.resumed(world.attempt(2)) is None


def test_what_somebody_put_before_the_machine_could_is_removed() -> None:
    """The machine's own could then not be written, and it says so: the teardown keeps nothing."""
    world = Attempts()
    first = world.attempt(1)
    world.work(first)
    world.leave_checkpoint(first)
    world.call(record_completion, **world.word(first, "failed", reason="preempted"))
    world.call(tear_down, run=first)
    assert world.left() == set()
    assert world.resumed(world.attempt(2)) is None


def test_a_word_of_another_key_leaves_no_checkpoint() -> None:
    """A record that somebody with rights over the bucket changed does not bear the machine's signature."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    state, name = names.state_bucket(world.settings), names.completion(first)
    said = canonical.loads(world.storage.get(state, name))
    world.storage.put(world.checkpoints, names.checkpoint_manifest(first), b"forged")
    world.storage.put(state, name, canonical.dumps({**said, "left_digest": canonical.digest(b"forged")}))
    with pytest.raises(EvidenceError, match=r"completion\.signature"):
        world.attempt(2)


@pytest.mark.parametrize("record", [names.lost, names.verdict])
def test_a_checkpoint_of_a_machine_that_was_not_trusted_is_not_gone_on_from(record: Any) -> None:
    """A refusal on record, or none that accepts: the next attempt begins anew."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    accepted = canonical.loads(world.storage.get(world.evidence, names.verdict(first)))
    world.storage.put(world.evidence, record(first), canonical.dumps({**accepted, "verdict": "not_met"}))
    assert world.resumed(world.attempt(2)) is None
