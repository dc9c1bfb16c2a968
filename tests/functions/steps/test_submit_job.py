"""Tests of `steps.submit_job`."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sealtrain.rules import names, records
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import EvidenceError, NotReadyError
from sealtrain.steps import start_vm, submit_job

from tests.functions.memory import World


def started(world: World, **changes: Any) -> str:
    """A run whose VM runs and has a verdict."""
    run = world.prepare()
    world.call(start_vm, run=run)
    verdict = {
        "run": run, "verdict": "met", "reasons": [], "time": "t", "order_digest": world.state.order(run)[1],
        "token_digest": "d", "trust_root": "SIMULATED", "policy_version": "1", "policy_digest": "d",
        "verifier": "v",
    }  # fmt: skip
    record = dumps({**verdict, **changes})
    world.storage.put(names.evidence_bucket(world.settings), names.verdict(run), record)
    return run


def submitted(world: World) -> str:
    """A run whose key was handed over: from now on the step only looks."""
    run = started(world)
    assert world.call(submit_job, run=run).state == "RUNNING"
    assert released(world, run)
    return run


def complete(world: World, run: str, state: str, reason: str = "") -> None:
    """What the workload reported."""
    record = records.Completion(run, state, reason, None, "", "t")  # type: ignore[arg-type]
    world.storage.put(names.state_bucket(world.settings), names.completion(run), dumps(record))


def released(world: World, run: str) -> bool:
    """Whether the wrapped key was handed over."""
    return world.storage.find(names.state_bucket(world.settings), names.release(run)) is not None


def stop_vm(world: World, seconds_ago: int) -> None:
    """The VM has ended."""
    ((name, vm),) = world.compute.found.items()
    when = (world.time - timedelta(seconds=seconds_ago)).isoformat()
    body = {**vm.body, "lastStopTimestamp": when}
    world.compute.found[name] = msgspec.structs.replace(vm, status="TERMINATED", body=body)


def test_the_key_is_handed_over_after_the_verdict_and_once() -> None:
    """The release is what was held, and a second call changes nothing."""
    world = World()
    run = started(world)
    assert world.call(submit_job, run=run).state == "RUNNING"
    state = names.state_bucket(world.settings)
    first = world.storage.stat(state, names.release(run))
    assert world.call(submit_job, run=run).state == "RUNNING"
    assert world.storage.stat(state, names.release(run)) == first
    held = names.held(run, world.state.order(run)[1])
    assert world.storage.find(state, names.release(run)) == world.storage.find(state, held)


def test_without_a_verdict_the_key_stays_closed() -> None:
    """No verdict yet: ask again, and nothing was handed over."""
    world = World()
    run = world.prepare()
    world.call(start_vm, run=run)
    with pytest.raises(NotReadyError):
        world.call(submit_job, run=run)
    assert not released(world, run)


@pytest.mark.parametrize(
    "change", [{"verdict": "not_met"}, {"order_digest": "sha256:other"}, {"run": "r000000000000"}]
)
def test_a_verdict_that_is_not_for_this_keeps_the_key_closed(change: dict[str, str]) -> None:
    """Refused, of another order or of another run."""
    world = World()
    run = started(world, **change)
    with pytest.raises(EvidenceError):
        world.call(submit_job, run=run)
    assert not released(world, run)


def test_an_alarm_on_record_keeps_the_key_closed() -> None:
    """A wrapped key that no disabling reaches, as an owner's, is not handed over after an alarm."""
    world = World()
    run = started(world)
    world.storage.put(names.evidence_bucket(world.settings), names.alert(run, "integrity-1"), b"{}")
    with pytest.raises(EvidenceError, match="alarm"):
        world.call(submit_job, run=run)
    assert not released(world, run)


def test_a_receipt_is_success() -> None:
    """Even when the workload's message was lost."""
    world = World()
    run = submitted(world)
    world.storage.put(names.evidence_bucket(world.settings), names.receipt(run), b"{}")
    stop_vm(world, 999)
    assert world.call(submit_job, run=run).state == "SUCCEEDED"


def test_a_reported_failure_is_told_with_its_reason() -> None:
    """The workload's word about its own failure is taken."""
    world = World()
    run = submitted(world)
    complete(world, run, "failed", "trainer_exit")
    found = world.call(submit_job, run=run)
    assert found.state == "FAILED"
    assert found.reason.startswith("trainer_exit: ")


def test_a_reported_success_without_a_receipt_is_no_success() -> None:
    """The receipt counts, not the message."""
    world = World()
    run = submitted(world)
    complete(world, run, "succeeded")
    assert world.call(submit_job, run=run).state == "RUNNING"


@pytest.mark.parametrize(("seconds_ago", "state"), [(5, "RUNNING"), (600, "LOST")])
def test_a_vm_that_ended_without_a_word_is_lost_after_a_while(seconds_ago: int, state: str) -> None:
    """Its last message has a minute to arrive."""
    world = World()
    run = submitted(world)
    stop_vm(world, seconds_ago)
    assert world.call(submit_job, run=run).state == state


def test_a_vm_that_is_gone_is_lost() -> None:
    """The platform deleted it, as at the end of its allowed time."""
    world = World()
    run = submitted(world)
    world.compute.found.clear()
    assert world.call(submit_job, run=run).state == "LOST"
