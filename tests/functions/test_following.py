"""The attempt that follows by itself: when there is one, and that it is started once, whoever dies."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import sweep, tear_down
from sealtrain.rules import budget, canonical, names
from sealtrain.rules.errors import NotReadyError, RefusedError
from sealtrain.rules.proof import RUN_ENDED
from sealtrain.steps import close_run

from tests.functions.attempts import Attempts
from tests.functions.memory import DiedError

JOB = b"arguments: {seed: 1}\nmachine: {mode: spot}\n"
PREEMPTED = {"code": "FAILED", "message": "preempted"}


def preempted(number: int = 1, job: bytes = JOB) -> tuple[Attempts, str]:
    """A world whose attempt was preempted and is at its end, not torn down yet."""
    world = Attempts(job)
    run = world.attempt(number)
    world.preempt(run)
    return world, run


def closed(world: Attempts, run: str) -> dict[str, Any]:
    """The run's end."""
    found: dict[str, Any] = json.loads(world.storage.get(world.evidence, names.closed(run)))
    return found


def started(world: Attempts) -> list[int]:
    """The numbers of the attempts that a sweep starts."""
    world.executions.started.clear()
    world.call(sweep)
    train = names.workflow(world.settings, names.WORKFLOW_TRAIN)
    return [argument["attempt"] for workflow, argument in world.executions.started if workflow == train]


def announced(world: Attempts, run: str) -> bool:
    """Whether an attempt was said to follow."""
    return any(one.name.endswith(".next.json") for one in world.storage.list(world.evidence, f"runs/{run}/"))


def test_a_preempted_run_names_the_attempt_that_follows_and_it_is_started_once() -> None:
    """The close tells the workflow; if that is lost, a sweep starts it, and none once it is claimed."""
    world, run = preempted()
    found = world.close(run)
    assert found.next_attempt == 2
    assert closed(world, run)["followed_by"] == world.run(2)
    assert world.left() == {run}
    assert started(world) == [2]
    [(_, argument)] = world.executions.started
    assert argument["object"] == "incoming/set/job.yaml"
    assert argument["generation"] == world.generation
    second = world.attempt(2)
    assert world.resumed(second) == run
    assert started(world) == []


def test_preempted_before_its_first_checkpoint_the_next_attempt_begins_anew() -> None:
    """The bound is the same; its order names no checkpoint."""
    world = Attempts(JOB)
    run = world.attempt(1)
    world.work(run)
    world.end(run, "preempted")
    assert world.close(run).next_attempt == 2
    assert world.resumed(world.attempt(2)) is None


@pytest.mark.parametrize(
    ("number", "job"),
    [
        (3, JOB),
        (7, JOB),
        (1, b"arguments: {seed: 1}\n"),
        (1, JOB + b"limits: {attempts: 1}\n"),
        (1, JOB + b"source: forget\n"),
    ],
    ids=["the last of three", "a person's, beyond them", "not Spot", "one", "forgotten"],
)
def test_at_the_bound_none_follows(number: int, job: bytes) -> None:
    """The run is closed as preempted; a person decides."""
    world, run = preempted(number, job)
    assert world.close(run).next_attempt is None
    assert closed(world, run)["outcome"] == "failed"
    assert not announced(world, run)
    assert started(world) == []


def test_a_bound_of_the_job_s_own_holds_for_any_mode() -> None:
    """A host's maintenance takes other machines than Spot as well."""
    world, run = preempted(4, b"arguments: {seed: 1}\nlimits: {attempts: 5}\n")
    assert world.close(run).next_attempt == 5


@pytest.mark.parametrize(
    "why",
    [
        "asked", "asked, and no failure told", "refused", "trainer", "lost", "alarm", "silent", "forged",
        "spoke late", "stands",
    ],
)  # fmt: skip
def test_no_other_end_leads_to_another_attempt(why: str) -> None:
    """A teardown that was asked for, a failed training, evidence against the machine, a word not its own."""
    world = Attempts(JOB)
    run = world.attempt(1)
    world.work(run)
    world.leave_checkpoint(run)
    failure: dict[str, str] | None = PREEMPTED
    if why == "refused":
        failure = {"code": "evidence_refused", "message": "its image is not approved any more"}
    elif why == "asked, and no failure told":
        failure = None
    if why == "forged":
        word = world.word(run, "failed", reason="preempted")
        other = world.word(run, "succeeded")["signature"]
        said = {**word, "signature": other, "time": world.time.isoformat()}
        state = names.state_bucket(world.settings)
        world.storage.create(state, names.completion(run), canonical.dumps(said))
    elif why == "spoke late":
        world.call(tear_down, run=run, reason=RUN_ENDED)
        world.storage.created = (world.time + timedelta(seconds=5)).isoformat()
        world.end(run, "preempted")
    elif why == "trainer":
        world.end(run, "trainer_exit")
    elif why != "silent":
        world.end(run, "preempted")
    if why in ("lost", "alarm"):
        name = names.lost(run) if why == "lost" else f"{names.alert_prefix(run)}one.alert.json"
        world.storage.create(world.evidence, name, b"{}")
    if why == "stands":
        world.compute.refuses[world.instance(run)] = RefusedError("no")
        with pytest.raises(NotReadyError):
            world.call(tear_down, run=run, reason=RUN_ENDED)
    else:
        world.call(tear_down, run=run, reason="wrong data" if why.startswith("asked") else RUN_ENDED)
    assert world.call(close_run, run=run, failure=failure).next_attempt is None
    assert not announced(world, run)
    assert started(world) == []


def test_a_close_that_dies_anywhere_still_starts_the_attempt_once() -> None:
    """Whichever write is the last one: closed again, the same attempt is named, and a sweep starts it."""
    for after in range(1, 12):
        world, run = preempted()
        world.call(tear_down, run=run, reason=RUN_ENDED)
        world.storage.dies_at = world.storage.writes + after
        died = False
        try:
            world.call(close_run, run=run, failure=PREEMPTED)
        except DiedError:
            died = True
            assert started(world) == [], "not before the run's end stands"
            world.call(close_run, run=run, failure=PREEMPTED)
        assert started(world) == [2]
        assert closed(world, run)["followed_by"] == world.run(2)
        if not died:
            break
    assert after > 5


def test_a_workflow_that_died_after_its_teardown_keeps_its_checkpoint_and_its_next_attempt() -> None:
    """The sweep closes the run in the workflow's own words; the sweep after it starts the attempt."""
    world, run = preempted()
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.executions.state = "FAILED"
    assert started(world) == []
    [(_, argument)] = world.executions.started
    world.call(tear_down, run=run, reason=argument["reason"])
    world.call(close_run, run=run, failure=argument["failure"])
    assert world.left() == {run}
    assert started(world) == [2]


def test_a_workflow_that_died_before_its_teardown_is_followed_by_none() -> None:
    """Somebody may have cancelled it: a person decides."""
    world, run = preempted()
    world.executions.state = "CANCELLED"
    assert started(world) == []
    [(_, argument)] = world.executions.started
    world.call(tear_down, run=run, reason=argument["reason"])
    world.call(close_run, run=run, failure=argument["failure"])
    assert started(world) == []
    assert world.left() == set()


@pytest.mark.parametrize("when", ["before the close", "after it"])
def test_whoever_asks_for_a_teardown_after_the_end_stops_what_would_follow(when: str) -> None:
    """Whether or not the attempt was announced by then, nothing starts it by itself; a person still may."""
    world, run = preempted()
    world.call(tear_down, run=run, reason=RUN_ENDED)
    asked = {"run": run, "reason": "asked for by the operator"}
    if when == "before the close":
        world.call(tear_down, **asked)
    found = world.call(close_run, run=run, failure=PREEMPTED)
    if when == "before the close":
        assert found.next_attempt is None
    else:
        world.call(tear_down, **asked)
    assert started(world) == []
    assert world.attempt(2) == world.run(2)


def test_a_request_of_teardown_without_a_reason_is_not_the_workflows() -> None:
    """A bare request from the topic stops what would follow, as any other does."""
    world, run = preempted()
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.call(tear_down, run=run)
    assert world.call(close_run, run=run, failure=PREEMPTED).next_attempt is None
    assert started(world) == []


def test_the_report_names_no_attempt_that_was_stopped() -> None:
    """The bundle holds the request, so whoever reads it comes to the same answer as the run's end."""
    world, run = preempted()
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.call(tear_down, run=run, reason="wrong data")
    world.call(close_run, run=run, failure=PREEMPTED)
    told = json.loads(world.storage.get(world.evidence, names.report(run, "json")))
    assert told["attempt"]["next_run"] == closed(world, run)["followed_by"] == ""


def test_a_machine_that_the_platform_ended_for_its_time_was_not_preempted() -> None:
    """The last brake signals a machine as a preemption does: what it says then leads to no other attempt."""
    world = Attempts(JOB + b"limits: {seconds: 600}\n")
    run = world.attempt(1)
    world.work(run)
    world.leave_checkpoint(run)
    world.storage.created = (world.time + timedelta(seconds=600)).isoformat()
    world.end(run, "preempted")
    world.time += timedelta(seconds=700)
    world.storage.created = world.time.isoformat()
    assert world.close(run).next_attempt is None


def test_a_workflow_that_was_cancelled_in_its_teardown_is_followed_by_none() -> None:
    """Who cancels a run wants it to end."""
    world, run = preempted()
    world.call(tear_down, run=run, reason=RUN_ENDED)
    world.executions.state = "CANCELLED"
    assert started(world) == []
    [(_, argument)] = world.executions.started
    world.call(tear_down, run=run, reason=argument["reason"])
    world.call(close_run, run=run, failure=argument["failure"])
    assert started(world) == []


def test_a_listing_that_lags_takes_no_checkpoint_away() -> None:
    """What seems to stand of a closed run is torn down in the run's own words: the next attempt goes on."""
    world, run = preempted()
    machine = world.compute.found.copy()
    world.close(run)
    second = world.attempt(2)
    world.compute.found |= machine
    assert started(world) == []
    [(_, argument)] = world.executions.started
    world.call(tear_down, run=run, reason=argument["reason"])
    assert world.left() == {run} == {world.resumed(second)}


def test_no_attempt_is_started_once_the_checkpoint_is_past_its_life() -> None:
    """Sweeps that resume after weeks surprise nobody with a machine."""
    world, run = preempted()
    world.close(run)
    world.time += timedelta(days=15)
    assert started(world) == []


def test_nothing_is_started_while_something_of_the_run_stands() -> None:
    """What a closed run left behind goes first."""
    world, run = preempted()
    machine = world.compute.found.copy()
    world.close(run)
    world.compute.found |= machine
    assert started(world) == []


def test_a_record_that_names_another_run_starts_nothing() -> None:
    """Followed is only by the next attempt at the same upload."""
    world, run = preempted(3)
    world.close(run)
    world.storage.create(world.evidence, names.next_attempt(run, "r0123456789ab"), b"{}")
    assert started(world) == []


def test_a_spent_budget_refuses_the_attempt_and_the_one_after_it_finds_the_checkpoint() -> None:
    """An attempt that never had an order is looked past."""
    world, run = preempted()
    world.close(run)
    state, pause = names.state_bucket(world.settings), f"{budget.folder_now(world.clock())}1.00{budget.PAUSE}"
    about = budget.Pause(world.time, world.time + timedelta(days=1), 2.0, 1.0, "USD")
    world.storage.create(state, pause, msgspec.json.encode(about))
    with pytest.raises(RefusedError):
        world.admit(2)
    world.storage.delete(state, pause)
    assert started(world) == []
    assert world.resumed(world.attempt(3)) == run
