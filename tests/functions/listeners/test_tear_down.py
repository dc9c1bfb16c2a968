"""Teardown in one pass, repeated until everything was seen absent, then proved."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sealtrain.listeners import tear_down
from sealtrain.rules import machine, names
from sealtrain.rules.bundle import open_statement
from sealtrain.rules.errors import (
    DeniedError,
    InvalidRequestError,
    JobFailedError,
    NotReadyError,
    QuotaError,
    StockOutError,
)
from sealtrain.rules.ledger import open_intents
from sealtrain.rules.proof import MAKER_S
from sealtrain.rules.resources import Resource
from sealtrain.rules.step_table import FUNCTIONS
from sealtrain.steps import (
    close_run,
    create_bucket,
    create_key,
    plan_capacity,
    reserve_capacity,
    seal_dataset,
    start_vm,
)

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World


def proof(world: World, run: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(world.storage.get(world.evidence, names.proof(run)))
    return found


def put_machine(world: World, kind: str, name: str, **labels: str) -> None:
    world.compute.found[name] = Resource(kind, "9", name.rpartition("/")[2], "", "", "", labels, {})  # type: ignore[arg-type]


def test_everything_of_a_run_goes_and_is_proved() -> None:
    """Machine, sealed bucket with its objects and key go; the proof says when and by which query."""
    world = World()
    run = world.start()
    found = world.call(tear_down, run=run)
    assert found.resources == 3
    assert world.compute.found == {}
    assert world.storage.buckets == {}
    versions = world.kms.list_versions(names.run_key(world.settings, run))
    assert [version.state for version in versions] == ["DESTROY_SCHEDULED"]
    told = proof(world, run)
    assert told["left"] == []
    assert all(one["seen_absent"] and one["query"] for one in told["resources"])  # type: ignore[attr-defined]


def test_what_the_run_did_not_make_stays() -> None:
    """The owner's upload, the model and the evidence stay."""
    world = World()
    run = world.succeed()
    kept = {names.inbox_bucket(world.settings), names.models_bucket(world.settings), world.evidence}
    before = {key for key in world.storage.objects if key[0] in kept}
    world.call(tear_down, run=run)
    assert before <= set(world.storage.objects)


def test_other_runs_are_not_touched() -> None:
    """A machine, group or bucket of another run stays, even one whose name begins alike."""
    world = World()
    run = world.start()
    alike = names.group(world.settings, f"{run}0", "us-central1-a")
    other = names.instance(world.settings, "r000000000000", "us-central1-a")
    put_machine(world, "group", alike)
    put_machine(world, "instance", other, **{"sealtrain-run": "r000000000000"})
    world.call(tear_down, run=run)
    assert set(world.compute.found) == {alike, other}


def test_slow_deletion_is_not_ready_until_seen_absent() -> None:
    """An accepted delete is not enough: the pass fails until a query shows the machine absent."""
    world = World()
    run = world.start()
    world.compute.slow = {world.instance(run)}
    with pytest.raises(NotReadyError, match="standing"):
        world.call(tear_down, run=run)
    assert world.storage.find(world.evidence, names.proof(run)) is None
    assert world.storage.buckets == {}  # the rest went meanwhile
    assert world.call(tear_down, run=run).proof
    assert proof(world, run)["left"] == []


def test_refused_delete_does_not_stop_the_rest() -> None:
    """A delete that the platform refuses is told, and everything else is still removed."""
    world = World()
    run = world.start()
    world.compute.refuses = {world.instance(run): DeniedError("may not")}
    with pytest.raises(NotReadyError, match="may not"):
        world.call(tear_down, run=run)
    assert world.storage.buckets == {}
    assert list(world.compute.found) == [world.instance(run)]


def test_group_template_request_and_reservation_go_in_order() -> None:
    """What the ledger does not know and the inventory shows under the run's names goes too."""
    world = World()
    run = world.start()
    zone = "us-central1-a"
    group = names.group(world.settings, run, zone)
    for kind, name in (
        ("template", names.template(world.settings, run)),
        ("group", group),
        ("request", names.request(world.settings, run, zone)),
        ("reservation", names.reservation(world.settings, run, zone)),
    ):
        put_machine(world, kind, name)
    world.compute.slow = {group}
    with pytest.raises(NotReadyError):
        world.call(tear_down, run=run)
    assert set(world.compute.found) == {group, names.template(world.settings, run)}
    assert world.call(tear_down, run=run).resources == 7
    assert world.compute.found == {}


def test_intent_without_outcome_is_looked_for() -> None:
    """A crash between intent and create leaves an intent; once its maker cannot live, it is seen absent."""
    world = World()
    run = world.prepare()
    name = names.instance(world.settings, run, "us-central1-a")
    world.ledger.intent(run, "instance", name)
    with pytest.raises(NotReadyError, match="may still be made"):
        world.call(tear_down, run=run)
    world.time += timedelta(seconds=MAKER_S)
    world.call(tear_down, run=run)
    lines = {one["name"]: one for one in proof(world, run)["resources"]}  # type: ignore[attr-defined,index]
    assert lines[name]["created"] == ""
    assert lines[name]["seen_absent"]


def test_crash_before_the_ledger_learned_is_found_by_label() -> None:
    """A machine that was made just before a crash is found by its label and removed."""
    world = World()
    run = world.prepare()
    frozen, plan = world.state.job(run), world.state.plan(run)
    _, digest = world.state.order(run)
    body = machine.instance(world.settings, frozen, plan.attempts[0], digest)
    name = names.instance(world.settings, run, plan.attempts[0].zone)
    world.compute.insert("instance", name, body, machine.request_id(name))
    world.call(tear_down, run=run)
    assert world.compute.found == {}


def test_second_teardown_changes_nothing() -> None:
    """The same request again, or another reason, leaves the first proof and the first reason."""
    world = World()
    run = world.start()
    first = world.call(tear_down, run=run, reason="asked by the owner")
    before = dict(world.storage.objects)
    assert world.call(tear_down, run=run, reason="swept") == first
    assert world.storage.objects == before


def test_machine_made_after_the_proof_is_removed_too() -> None:
    """A step that was still running may make a machine after the proof; the next pass removes it."""
    world = World()
    run = world.prepare()
    world.call(tear_down, run=run)
    objects = world.storage.objects
    asked = {key: objects.pop(key) for key in [*objects] if "teardown.json" in key[1]}
    world.call(start_vm, run=run)  # it had looked for a teardown just before there was one
    objects.update(asked)
    world.call(tear_down, run=run)
    assert asked
    assert world.compute.found == {}
    assert world.ledger.entries(run)[-1].phase in {"gone", "made", "intent"}
    assert ("instance", "gone") in world.phases(run)


def test_nothing_is_made_once_a_teardown_was_asked_for() -> None:
    """A step that comes after the teardown refuses, so that the proof stays true."""
    world = World()
    run = world.prepare()
    world.call(tear_down, run=run)
    with pytest.raises(JobFailedError, match="torn down"):
        world.call(start_vm, run=run)
    assert world.compute.found == {}


def test_run_that_never_was_leaves_no_trace() -> None:
    """A request for an unknown run writes nothing; one that is no run id is refused."""
    world = World()
    assert world.call(tear_down, run="r000000000000").proof == ""
    assert world.storage.objects == {}
    with pytest.raises(InvalidRequestError, match="not a run id"):
        world.call(tear_down, run="../../x")


RESERVED = b"machine: {shape: n2d-standard-4, mode: reservation}"
QUEUED = b"machine: {shape: a3-highgpu-1g, mode: flex-start}"
# maker: the steps before it, its job, the room whose create meets the teardown, and how that create is called
MAKERS: dict[str, tuple[Any, tuple[Any, ...], bytes | None, str, str]] = {
    "create_key": (create_key, (plan_capacity,), None, "kms", "create_key"),
    "create_bucket": (create_bucket, (plan_capacity, create_key), None, "storage", "create_bucket"),
    "reserve_capacity": (reserve_capacity, (), RESERVED, "compute", "insert"),
    "reserve_capacity by flex-start": (reserve_capacity, (), QUEUED, "compute", "insert"),
    "start_vm": (start_vm, (), None, "compute", "insert"),
}


def meet(room: Any, method: str, action: Callable[[], None], *, after: bool) -> None:
    """Let `action` happen once, in the instant before or after the room's next create."""
    real = getattr(room, method)

    def create(*args: Any) -> Any:
        setattr(room, method, real)
        if not after:
            action()
        made = real(*args)
        if after:
            action()
        return made

    setattr(room, method, create)


@pytest.mark.parametrize("after", [False, True], ids=["before the create", "after the create"])
@pytest.mark.parametrize("word", MAKERS)
def test_what_is_made_while_a_teardown_runs_is_seen_gone_after_it_was_made(word: str, after: bool) -> None:
    """The pass waits for the maker's outcome, the maker stops, and the proof's times are in order."""
    module, before, job, room, method = MAKERS[word]
    world = World()
    run = world.admit(job=job)
    for step in before or (plan_capacity, create_key, create_bucket, seal_dataset):
        world.call(step, run=run)

    def torn_down() -> None:
        with pytest.raises(NotReadyError, match="standing"):
            world.call(tear_down, run=run, reason="asked in that instant")

    meet(getattr(world, room), method, torn_down, after=after)
    with pytest.raises((JobFailedError, NotReadyError)):
        world.call(module, run=run)
    with pytest.raises(JobFailedError, match="torn down"):
        world.call(module, run=run)  # the workflow's next try

    if open_intents(world.ledger.entries(run)):  # what it made was removed before it could tell
        world.time += timedelta(seconds=MAKER_S)
    world.call(tear_down, run=run)
    assert world.compute.found == {}
    assert world.storage.buckets == {}
    world.call(close_run, run=run, failure={"code": "torn_down"})
    signed = world.storage.get(world.evidence, names.bundle(run))
    stated = open_statement(signed, authority.public_pem(BUNDLE_KEY)).predicate
    assert {claim.id: claim.verdict for claim in stated.claims}["nothing_left"] == "met"


@pytest.mark.parametrize("error", [QuotaError("too many"), DeniedError("may not"), StockOutError("none")])
def test_what_the_platform_refused_is_not_waited_for(error: Exception) -> None:
    """A refused create is an outcome: the first pass proves that nothing is there."""
    world = World()
    run = world.prepare()
    world.compute.failures = {attempt.zone: error for attempt in world.state.plan(run).attempts}
    with pytest.raises(type(error)):
        world.call(start_vm, run=run)
    assert {p for k, p in world.phases(run) if k == "instance"} == {"intent", "refused"}
    assert world.call(tear_down, run=run).proof


def test_no_maker_may_run_longer_than_a_teardown_waits() -> None:
    """What tells of its makings is ended by the platform before its intents stop counting as open."""
    makers = [
        row for row in FUNCTIONS if any(e.endswith(".intent.json") for g in row.grants for e in g.endings)
    ]
    assert {row.name for row in makers} == {"create_key", "create_bucket", "reserve_capacity", "start_vm"}
    assert all(row.timeout_s < MAKER_S for row in makers)


@pytest.mark.parametrize("word", ["create_key", "create_bucket", "start_vm"])
def test_after_a_teardown_not_even_an_intent_is_written(word: str) -> None:
    """A maker that comes after the request leaves nothing that a later pass had to wait for."""
    module, before, job, _, _ = MAKERS[word]
    world = World()
    run = world.admit(job=job)
    for step in before or (plan_capacity, create_key, create_bucket, seal_dataset):
        world.call(step, run=run)
    world.call(tear_down, run=run, reason="asked before")
    written = world.phases(run)
    with pytest.raises(JobFailedError, match="torn down"):
        world.call(module, run=run)
    assert world.phases(run) == written
    assert world.call(tear_down, run=run).proof
