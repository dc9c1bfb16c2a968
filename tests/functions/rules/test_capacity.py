"""Tests of `rules.capacity`."""

import msgspec
import pytest
from sealtrain.rules.capacity import cost_of, expires_s, plan, remaining
from sealtrain.rules.errors import RefusedError, UnsupportedError
from sealtrain.rules.job import FrozenJob, Job, Limits, Machine
from sealtrain.rules.ledger import Entry

from tests.functions.memory import DIGEST, IMAGE

RUN = "r0123456789ab"


def frozen(job: Job) -> FrozenJob:
    """An admitted job."""
    return FrozenJob(
        run=RUN, job=job, image=IMAGE, image_digest=DIGEST, bucket="b", objects=(), memory_bytes=1,
        worst_case_usd=1.0, admitted_at="t", expires=1,
    )  # fmt: skip


def test_a_plan_tries_the_regions_zones_in_order() -> None:
    """One attempt for each zone that has the machine."""
    found = plan(frozen(Job()), "us-central1")
    assert [a.zone for a in found.attempts] == [f"us-central1-{z}" for z in "abcf"]
    assert {(a.shape, a.mode, a.technology) for a in found.attempts} == {
        ("n2d-standard-2", "on-demand", "SEV")
    }


def test_a_plan_tells_what_it_left_out_and_why() -> None:
    """Every other way to have a machine is named with its reason."""
    found = plan(frozen(Job()), "us-central1")
    reasons = {(r.shape, r.mode): r.reason for r in found.refusals}
    assert reasons["n2d-standard-2", "reservation"] == "the job asks for another"
    assert "cannot use reservations" in reasons["a3-highgpu-1g", "reservation"]
    assert ("n2d-standard-2", "on-demand") not in reasons


def test_a_plan_is_the_same_twice() -> None:
    """A plan follows from the job alone."""
    assert plan(frozen(Job()), "us-central1") == plan(frozen(Job()), "us-central1")


def test_a_run_that_could_cost_too_much_is_refused() -> None:
    """The worst case binds."""
    job = Job(limits=Limits(seconds=7 * 24 * 3600, cost_usd=1.0))
    with pytest.raises(RefusedError) as caught:
        cost_of(job, "us-central1")
    assert caught.value.body.field == "limits.cost_usd"


def test_what_all_attempts_may_cost_is_what_binds() -> None:
    """Attempts that follow by themselves are paid for by the same limit; the refusal says how many."""
    spot = Machine(shape="a3-highgpu-1g", mode="spot")
    _, _, one = cost_of(Job(machine=spot, limits=Limits(attempts=1)), "us-central1")
    cost_of(Job(machine=spot, limits=Limits(attempts=4, cost_usd=round(4 * one, 4))), "us-central1")
    with pytest.raises(RefusedError) as caught:
        cost_of(Job(machine=spot, limits=Limits(attempts=4, cost_usd=4 * one - 0.1)), "us-central1")
    assert caught.value.body.field == "limits.cost_usd"
    assert "4 attempts" in (caught.value.body.got or "")
    assert "limits.attempts" in (caught.value.body.remedy or "")


def test_spot_goes_on_by_itself_unless_the_job_says_otherwise() -> None:
    """Three attempts for Spot; one for every other machine, and where the source is forgotten."""
    assert Job().most_attempts == 1
    assert Job(machine=Machine(mode="spot")).most_attempts == 3
    assert Job(machine=Machine(mode="spot"), source="forget").most_attempts == 1
    assert Job(machine=Machine(mode="spot"), limits=Limits(attempts=1)).most_attempts == 1
    assert Job(limits=Limits(attempts=5)).most_attempts == 5


def test_training_without_a_tee_is_not_offered() -> None:
    """`tee: none` is refused by name."""
    with pytest.raises(UnsupportedError) as caught:
        cost_of(Job(tee="none"), "us-central1")
    assert caught.value.body.field == "tee"


def test_a_queue_for_capacity_makes_a_run_last_longer() -> None:
    """A flex-start run may wait for its machine."""
    flex = Job(machine=Machine(shape="a3-highgpu-1g", mode="flex-start"))
    assert expires_s(flex) > expires_s(Job()) > Job().limits.seconds


def test_what_remains_is_what_was_not_refused() -> None:
    """A zone that refused is not tried again; one that was only begun is."""
    whole = plan(frozen(Job()), "us-central1")

    def told(phase: str, zone: str, kind: str = "instance") -> Entry:
        name = f"projects/p/zones/us-central1-{zone}/instances/m"
        return msgspec.convert(
            {"run": RUN, "kind": kind, "name": name, "phase": phase, "time": "t", "by": "f"}, Entry
        )

    assert remaining(whole, [], "instance") == whole.attempts
    begun = [told("intent", "a"), told("refused", "a"), told("intent", "b")]
    assert remaining(whole, begun, "instance") == whole.attempts[1:]
    assert remaining(whole, [told("refused", "b", "reservation")], "instance") == whole.attempts
