"""The workload's last word: kept once if it is the attested workload's, and the workflow woken."""

import json
from typing import Any

import pytest
from sealtrain.listeners import record_completion
from sealtrain.rules import names
from sealtrain.rules.errors import InvalidRequestError, RefusedError, UnavailableError
from sealtrain.steps import submit_job, verify_evidence

from tests.functions import authority
from tests.functions.closing import World


def kept(world: World, run: str) -> dict[str, Any] | None:
    """The record of the completion, if there is one."""
    found = world.storage.find(names.state_bucket(world.settings), names.completion(run))
    return None if found is None else dict(json.loads(found))


def attested(world: World) -> str:
    """A run whose machine has shown its token."""
    run = world.start()
    world.attest(run)
    return run


def test_completion_is_kept_and_the_workflow_woken() -> None:
    """The first message is recorded with its time, and the stored callback is posted."""
    world = World()
    run = attested(world)
    found = world.call(record_completion, **world.word(run, "succeeded", left_digest="sha256:x"))
    assert (found.recorded, found.woken) == ("first", True)
    assert (kept(world, run) or {})["left_digest"] == "sha256:x"
    assert world.executions.posted == [("http://127.0.0.1:1/callback", {"run": run})]


def test_repeated_message_wakes_again_and_keeps_the_first() -> None:
    """The same message twice keeps one record; the second delivery wakes too, if the first could not."""
    world = World()
    run = attested(world)
    message = world.word(run, "failed", reason="trainer_exit")
    world.call(record_completion, **message)
    first = kept(world, run)
    assert world.call(record_completion, **message).recorded == "repeated"
    assert len(world.executions.posted) == 2
    assert kept(world, run) == first


def test_contradicting_message_changes_nothing() -> None:
    """A later, different message of the same workload neither replaces the record nor wakes anybody."""
    world = World()
    run = attested(world)
    world.call(record_completion, **world.word(run, "failed", reason="trainer_exit"))
    found = world.call(record_completion, **world.word(run, "succeeded"))
    assert (found.recorded, found.woken) == ("contradicted", False)
    assert (kept(world, run) or {})["state"] == "failed"
    assert len(world.executions.posted) == 1


def forgeries(world: World, run: str) -> dict[str, dict[str, Any]]:
    """Messages about a run that its own workload did not write."""
    genuine = world.word(run, "failed", reason="trainer_exit")
    return {
        "no signature": {**genuine, "signature": ""},
        "no base64": {**genuine, "signature": "?"},
        "another run's key": world.word(run, "failed", authority.workload_key("another run")),
        "another reason": {**genuine, "reason": "preempted"},
        "another state": {**genuine, "state": "succeeded"},
        "another receipt": {**genuine, "left_digest": "sha256:" + "00" * 32},
        "another run's message": {**world.word("r000000000000", "failed"), "run": run},
    }


@pytest.mark.parametrize("forgery", sorted(forgeries(World(), "r0")))
def test_a_message_of_another_is_dropped(forgery: str) -> None:
    """It wakes nobody, leaves no record, and ends nothing: the job still runs."""
    world = World()
    run = attested(world)
    world.call(verify_evidence, run=run)
    world.call(submit_job, run=run)
    found = world.call(record_completion, **forgeries(world, run)[forgery])
    assert (found.recorded, found.woken) == ("not_signed", False)
    assert kept(world, run) is None
    assert world.call(submit_job, run=run).state == "RUNNING"
    genuine = world.word(run, "failed", reason="trainer_exit")
    assert world.call(record_completion, **genuine).recorded == "first"
    assert world.call(submit_job, run=run).state == "FAILED"


def test_word_of_a_workload_that_never_attested_is_dropped() -> None:
    """There is no key yet to know it by; nobody waits for it then, verify_evidence looks at the VM itself."""
    world = World()
    run = world.start()
    found = world.call(record_completion, **world.word(run, "failed", reason="attestation_failed"))
    assert (found.recorded, found.woken) == ("not_signed", False)
    assert kept(world, run) is None


def test_late_message_finds_nobody_waiting() -> None:
    """A message after the workflow went on is recorded and done."""
    world = World()
    run = attested(world)
    world.executions.deaf = True
    assert not world.call(record_completion, **world.word(run, "succeeded")).woken
    assert (kept(world, run) or {})["state"] == "succeeded"


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
    run = attested(world)
    message = world.word(run, "succeeded")
    real = world.executions.post_callback

    def broken(url: str, body: object) -> None:
        raise UnavailableError("no connection")

    world.executions.post_callback = broken  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        world.call(record_completion, **message)
    world.executions.post_callback = real  # type: ignore[method-assign]
    assert world.call(record_completion, **message).woken
