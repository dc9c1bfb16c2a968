"""Teardown in one pass, repeated until everything was seen absent, then proved."""

import json

import pytest
from sealtrain.listeners import tear_down
from sealtrain.rules import machine, names
from sealtrain.rules.errors import DeniedError, InvalidRequestError, JobFailedError, NotReadyError
from sealtrain.rules.resources import Resource
from sealtrain.steps import start_vm

from tests.functions.closing import World


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
    """A crash between intent and create leaves an intent; teardown looks, and says it is absent."""
    world = World()
    run = world.prepare()
    name = names.instance(world.settings, run, "us-central1-a")
    world.ledger.intent(run, "instance", name)
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
