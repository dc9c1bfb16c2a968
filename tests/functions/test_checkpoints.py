"""A checkpoint's way through the steps: who names it in an order, and whose teardown removes it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import sweep, tear_down
from sealtrain.rules import canonical, names, proof, records
from sealtrain.rules.errors import NotReadyError, RefusedError
from sealtrain.rules.evidence import token
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.proof import RUN_ENDED
from sealtrain.steps import close_run

from tests.functions.attempts import Attempts


def test_the_next_attempt_names_the_checkpoint_by_digest() -> None:
    """The order freezes which checkpoint is gone on from; without one it names none."""
    world = Attempts()
    first = world.attempt(1)
    assert world.resumed(first) is None
    world.preempt(first)
    order, _ = world.state.order(world.attempt(2))
    assert order.checkpoint.resume is not None
    assert order.checkpoint.resume.sha256 == canonical.digest(b"manifest of " + first.encode())
    assert order.checkpoint.kms_key == names.checkpoint_key(world.settings)


def test_an_attempt_that_left_none_hands_on_the_one_it_had() -> None:
    """Preempted before it wrote its own: the attempt after it goes on from the same one, while it stands."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    assert world.resumed(world.attempt(2)) == first
    assert world.resumed(world.attempt(3)) == first
    for one in list(world.storage.list(world.checkpoints)):
        world.storage.delete(world.checkpoints, one.name)
    assert world.resumed(world.attempt(4)) is None


def test_parts_without_a_manifest_are_no_checkpoint() -> None:
    """A VM that was cut off while it sealed has left nothing to go on from."""
    world = Attempts()
    first = world.attempt(1)
    world.storage.create(world.checkpoints, f"{first}/checkpoint.tar.part-00000", b"part")
    assert world.resumed(world.attempt(2)) is None


@pytest.mark.parametrize("word", ["", "trainer_exit"])
def test_a_checkpoint_of_a_run_that_did_not_say_so_is_not_gone_on_from(word: str) -> None:
    """Without the signed word of a machine that was preempted, what lies there is anybody's."""
    world = Attempts()
    first = world.attempt(1)
    world.work(first)
    world.leave_checkpoint(first)
    if word:
        world.end(first, word)
    assert world.resumed(world.attempt(2)) is None


def test_another_training_begins_anew() -> None:
    """A default trainer that changed between two attempts is another training: no checkpoint is named."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    other = f"sha256:{'9' * 64}"
    trainer = f"{world.settings.trainer.partition('@')[0]}@{other}"
    world.settings = msgspec.structs.replace(world.settings, trainer=trainer, approved_images=(other,))
    assert world.resumed(world.attempt(2)) is None


def test_a_later_attempt_has_the_data_of_the_one_before() -> None:
    """Other bytes under the same names are refused, with what to do; the same bytes again are taken."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    world.upload("incoming/set/data.csv", b"a,b\n9,9\n")
    for number in (2, 3):  # the one that was refused is looked past
        with pytest.raises(RefusedError, match="is not what the attempt before had") as refused:
            world.attempt(number)
        assert refused.value.body.field == "incoming/set/data.csv"
    world.upload("incoming/set/data.csv")
    assert world.resumed(world.attempt(4)) == first


@pytest.mark.parametrize(
    ("reason", "asked", "kept"),
    [("preempted", "", True), ("trainer_exit", "", False), ("preempted", "wrong dataset", False)],
)
def test_only_a_preempted_run_leaves_its_checkpoint(reason: str, asked: str, kept: bool) -> None:
    """Any other end, and a teardown that somebody asked for, remove it and prove that it is gone."""
    world = Attempts()
    run = world.attempt(1)
    world.work(run)
    world.leave_checkpoint(run)
    world.end(run, reason)
    world.call(tear_down, run=run, reason=asked or RUN_ENDED)
    assert world.left() == ({run} if kept else set())
    gone = [one["name"] for one in world.proof(run)["resources"] if one["kind"] == "checkpoint"]
    assert gone == ([] if kept else [names.checkpoint_place(world.settings, run)])


def test_whoever_goes_on_from_a_checkpoint_removes_it() -> None:
    """Preempted again: the newer one stays and the older goes. After the last attempt none is left."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    second = world.attempt(2)
    world.preempt(second)
    world.call(tear_down, run=second, reason=RUN_ENDED)
    assert world.left() == {second}
    third = world.attempt(3)
    world.work(third)
    world.end(third, "preempted")
    world.call(tear_down, run=third, reason=RUN_ENDED)
    assert world.left() == {second}, "it wrote none of its own: the one it had stays"
    fourth = world.attempt(4)
    assert world.resumed(fourth) == second
    world.work(fourth)
    world.call(tear_down, run=fourth, reason=RUN_ENDED)
    assert world.left() == set()


@pytest.mark.parametrize("record", [names.order, names.completion])
def test_a_record_that_cannot_be_read_keeps_no_machine_alive(record: Any) -> None:
    """The pass goes on without it: all is removed and proved, and the problem is told."""
    world = Attempts()
    run = world.attempt(1)
    world.work(run)
    world.leave_checkpoint(run)
    world.storage.put(names.state_bucket(world.settings), record(run), b"{")
    found = world.call(tear_down, run=run, reason=RUN_ENDED)
    assert found.problems
    assert found.proof
    assert world.compute.found == {}
    assert world.left() == set()


def test_what_a_teardown_itself_interrupts_is_not_preempted() -> None:
    """The delete signals the machine as a preemption does; what it then leaves is removed as well."""
    world = Attempts()
    run = world.attempt(1)
    world.work(run)
    world.compute.slow = {world.instance(run)}
    with pytest.raises(NotReadyError, match="standing"):
        world.call(tear_down, run=run, reason=RUN_ENDED)
    world.storage.created = (world.time + timedelta(seconds=5)).isoformat()
    world.leave_checkpoint(run)
    world.end(run, "preempted")
    world.call(tear_down, run=run, reason=RUN_ENDED)
    assert world.left() == set()


def refuse(world: Attempts, run: str, record: str, why: Finding) -> None:
    """Put a refusal with this finding among the run's records."""
    accepted = canonical.loads(world.storage.get(world.evidence, names.verdict(run)))
    refused = records.VerdictRecord(**{**accepted, "verdict": "not_met", "reasons": (why,)})
    world.storage.create(world.evidence, names.evidence_prefix(run) + record, canonical.dumps(refused))


@pytest.mark.parametrize(
    "record", ["judgements/00001/judgement.json", "evidence/lost.json", "alerts/one.alert.json"]
)
def test_nothing_is_kept_of_a_machine_that_lost_its_attestation(record: str) -> None:
    """A refused later token or an alarm outweighs the word of the machine that it was preempted."""
    world = Attempts()
    run = world.attempt(1)
    world.preempt(run)
    why = Finding(reason="silence", field="token", got="none", expected="one", sentence="A machine tells.")
    refuse(world, run, record, why)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    assert world.left() == set()


def test_a_record_that_is_not_the_machine_s_own_takes_no_checkpoint_away() -> None:
    """What was judged and is foreign says nothing of this machine."""
    world = Attempts()
    run = world.attempt(1)
    world.preempt(run)
    why = Finding(reason="malformed", field="token", got="x", expected="a token", sentence=token.GENUINE)
    refuse(world, run, "judgements/00007/judgement.json", why)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    assert world.left() == {run}
    assert world.resumed(world.attempt(2)) == run


def test_an_attempt_without_a_machine_leaves_the_checkpoint_that_it_was_to_go_on_from() -> None:
    """No capacity for attempt 2 is no end of attempt 1's work: attempt 3 goes on from it."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    world.call(tear_down, run=world.attempt(2), reason=RUN_ENDED)
    assert world.left() == {first}
    assert world.resumed(world.attempt(3)) == first


def test_a_checkpoint_is_not_seen_gone_while_its_maker_lives() -> None:
    """What the machine still writes is removed once the machine is gone; the ledger says so only then."""
    world = Attempts()
    run = world.attempt(1)
    world.work(run)
    world.storage.create(world.checkpoints, f"{run}/checkpoint.tar.part-00000", b"part")
    world.compute.slow = {world.instance(run)}
    with pytest.raises(NotReadyError, match="standing"):
        world.call(tear_down, run=run, reason=RUN_ENDED)
    assert ("checkpoint", "gone") not in world.phases(run)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    assert ("checkpoint", "gone") in world.phases(run)
    assert world.left() == set()


def test_whoever_asks_for_a_teardown_gets_rid_of_what_was_kept() -> None:
    """The reason of the request decides, also when the run's own end was recorded before it."""
    world = Attempts()
    run = world.attempt(1)
    world.preempt(run)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    assert world.left() == {run}
    world.call(tear_down, run=run, reason="asked for by the operator")
    assert world.left() == set()
    assert ("checkpoint", "gone") in world.phases(run)


def test_what_is_kept_is_named_and_is_not_nothing() -> None:
    """The proof names the kept checkpoint, its query says what it found, and the claim is not met."""
    world = Attempts()
    run = world.attempt(1)
    world.preempt(run)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    place = names.checkpoint_place(world.settings, run)
    assert world.proof(run)["kept"] == [place]
    assert f"storage list {place}/: kept for the next attempt" in world.proof(run)["inventory_queries"]
    world.call(close_run, run=run, failure={"code": "FAILED", "message": "preempted"})
    claim = world.claim(run, "nothing_left")
    assert claim.verdict == "not_met"
    assert place in claim.reasons[0]
    assert "14 days" in claim.reasons[0]


def test_what_nobody_goes_on_from_is_proved_absent() -> None:
    """A run that kept nothing says that the place of its checkpoint was listed and found empty."""
    world = Attempts()
    run = world.attempt(1)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    assert world.proof(run)["kept"] == []
    line = f"storage list {names.checkpoint_place(world.settings, run)}/: none"
    assert line in world.proof(run)["inventory_queries"]


def test_a_model_that_went_on_from_a_checkpoint_says_so() -> None:
    """The claim on the data names the earlier run and its manifest: what it learned there counts as well."""
    world = Attempts()
    first = world.attempt(1)
    world.preempt(first)
    second = world.attempt(2)
    world.work(second)
    world.train(second)
    world.call(tear_down, run=second, reason=RUN_ENDED)
    world.call(close_run, run=second, failure=None)
    claim = world.claim(second, "dataset_bound")
    assert claim.verdict == "met"
    assert f"went on from the checkpoint of run {first}" in claim.reasons[-1]


def test_a_checkpoint_past_its_life_is_swept() -> None:
    """A closed run's checkpoint stands for the next attempt; after its days the sweep has it removed."""
    world = Attempts()
    run = world.attempt(1)
    world.preempt(run)
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.call(close_run, run=run, failure={"code": "FAILED", "message": "preempted"})
    world.time += timedelta(days=proof.CHECKPOINT_DAYS, hours=-1)
    assert world.call(sweep).asked_for == ()
    world.time += timedelta(hours=2)
    assert world.call(sweep).asked_for == (run,)
    [(_, argument)] = world.executions.started
    world.call(tear_down, run=run, reason=argument["reason"])
    assert world.left() == set()
    assert ("checkpoint", "gone") in world.phases(run)
    assert world.call(sweep).asked_for == ()


def test_the_bucket_deletes_a_checkpoint_when_the_claim_says_so() -> None:
    """The days in the claim are those of the deployment's own description, and what is deleted is gone."""
    described = Path("cli/deploy/world.json").read_text()
    (bucket,) = (
        one["body"]
        for one in json.loads(described)["resources"]
        if "softDeletePolicy" in one["body"] and one["name"].endswith("-checkpoints")
    )
    delete = {"type": "Delete"}
    (rule,) = (one["condition"] for one in bucket["lifecycle"]["rule"] if one["action"] == delete)
    assert rule == {"age": proof.CHECKPOINT_DAYS}
    assert int(bucket["softDeletePolicy"]["retentionDurationSeconds"]) == 0
