"""The verdict on a machine's token, before any key moves."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import tear_down
from sealtrain.rules import canonical, names, records
from sealtrain.rules.errors import EvidenceError, JobFailedError, NotReadyError
from sealtrain.rules.evidence import attested, policy
from sealtrain.steps import submit_job, verify_evidence

from tests.functions import authority
from tests.functions.closing import World


def verdict(world: World, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.storage.get(world.evidence, names.verdict(run)))
    return found


def key_states(world: World, run: str) -> list[str]:
    return [v.state for v in world.kms.list_versions(names.run_key(world.settings, run))]


def assert_refused(world: World, run: str, reason: str) -> None:
    """The verdict is refused for this reason, the key is disabled, and nothing is handed over."""
    with pytest.raises(EvidenceError, match=reason):
        world.call(verify_evidence, run=run)
    assert {one["reason"] for one in verdict(world, run)["reasons"]} == {reason}
    assert key_states(world, run) == ["DISABLED"]
    with pytest.raises(EvidenceError, match="stays closed"):
        world.call(submit_job, run=run)
    assert world.storage.find(names.state_bucket(world.settings), names.release(run)) is None


def test_good_token_is_met() -> None:
    """A genuine token of the run's machine is met; the verdict says by which policy and whose word."""
    world = World()
    run = world.start()
    world.attest(run)
    found = world.call(verify_evidence, run=run)
    assert (found.verdict, found.trust_root) == ("met", "SIMULATED")
    assert verdict(world, run)["policy_version"] == policy.load().version
    assert key_states(world, run) == ["ENABLED"]


def test_no_token_yet_is_not_ready() -> None:
    """While a young machine runs, its silence is only not ready yet."""
    world = World()
    run = world.start()
    with pytest.raises(NotReadyError, match="has not shown"):
        world.call(verify_evidence, run=run)
    assert world.storage.find(world.evidence, names.verdict(run)) is None


def test_silence_of_a_running_machine_is_refused() -> None:
    """A machine that runs a quarter of an hour without a token is refused."""
    world = World()
    run = world.start()
    world.time += timedelta(seconds=attested.SILENCE_S)
    assert_refused(world, run, "silence")


@pytest.mark.parametrize("gone", [True, False])
def test_machine_that_ended_without_a_token_is_refused(gone: bool) -> None:
    """A machine that ended, or went, without a token is refused at once."""
    world = World()
    world.compute.status["instance"] = "TERMINATED"
    run = world.start()
    if gone:
        world.compute.found.clear()
    assert_refused(world, run, "silence")


def test_the_silence_of_a_machine_that_is_taken_down_on_request_is_no_finding() -> None:
    """Whoever asked for the end is told of that, not of a machine that never showed who it is."""
    world = World()
    run = world.start()
    world.call(tear_down, run=run, reason="changed my mind")
    with pytest.raises(JobFailedError, match="torn down"):
        world.call(verify_evidence, run=run)
    assert world.storage.find(world.evidence, names.verdict(run)) is None


def test_token_of_a_machine_that_ended_still_counts() -> None:
    """A machine that spoke and ended is judged by its token."""
    world = World()
    run = world.start()
    world.attest(run)
    world.compute.found.clear()
    assert world.call(verify_evidence, run=run).verdict == "met"


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("debug", {"dbgstat": "enabled"}),
        ("image", {"submods__container__image_digest": "sha256:" + "00" * 32}),
        ("instance", {"submods__gce__instance_id": "77"}),
        ("project", {"submods__gce__project_id": "other-project"}),
        ("hwmodel", {"hwmodel": "GCP_SHIELDED_VM"}),
        ("nonce", {"eat_nonce": ["a nonce of nobody"]}),
        ("audience", {"aud": "https://sts.googleapis.com"}),
    ],
)
def test_wrong_token_is_refused(reason: str, changes: dict[str, Any]) -> None:
    """A token that is wrong in one claim closes the key, with the reason on record."""
    world = World()
    run = world.start()
    world.attest(run, **changes)
    assert_refused(world, run, reason)


def test_replayed_token_of_another_run_is_refused() -> None:
    """A token and key of another run, shown again, are refused by nonce."""
    world = World()
    other = world.start()
    world.attest(other)
    taken = world.storage.get(world.evidence, names.token(other))
    world.upload("incoming/second.csv")
    run = world.admit("incoming/second.csv")
    replay(world, run)
    world.storage.create(world.evidence, names.token(run), taken)
    with pytest.raises(EvidenceError, match="nonce"):
        world.call(verify_evidence, run=run)
    assert {"nonce", "order"} == {one["reason"] for one in verdict(world, run)["reasons"]}


def replay(world: World, run: str) -> None:
    from sealtrain.steps import create_bucket, create_key, plan_capacity, seal_dataset, start_vm

    for module in (plan_capacity, create_key, create_bucket, seal_dataset, start_vm):
        world.call(module, run=run)


def test_token_for_another_order_is_refused() -> None:
    """A token whose nonce binds another order's digest is refused."""
    world = World()
    run = world.start()
    world.attest(run, order_digest=canonical.digest(b"another order"))
    with pytest.raises(EvidenceError):
        world.call(verify_evidence, run=run)
    assert {"nonce", "order"} == {one["reason"] for one in verdict(world, run)["reasons"]}


def test_key_swapped_under_a_genuine_token_is_refused() -> None:
    """A genuine token with another public key beside it is refused: the nonce binds the key."""
    world = World()
    run = world.start()
    world.attest(run)
    place = world.evidence, names.token(run)
    record = json.loads(world.storage.objects.pop(place)[1])
    record["public_key_pem"] = authority.public_pem(authority.workload_key("thief"))
    world.show(run, records.TokenRecord(**record))
    assert_refused(world, run, "nonce")


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff", b'{"token": 1}', b"[" * 5000])
def test_garbage_is_malformed(garbage: bytes) -> None:
    """What is no token record of a workload of ours is refused as malformed."""
    world = World()
    run = world.start()
    world.storage.create(world.evidence, names.token(run), garbage)
    assert_refused(world, run, "malformed")


def test_first_verdict_stands() -> None:
    """Called again, even after the machine has gone, the recorded verdict is given again."""
    world = World()
    run = world.start()
    world.attest(run)
    first = world.call(verify_evidence, run=run)
    before = world.storage.get(world.evidence, names.verdict(run))
    world.compute.found.clear()
    world.time += timedelta(days=90)
    assert world.call(verify_evidence, run=run) == first
    assert world.storage.get(world.evidence, names.verdict(run)) == before


def placed(world: World, run: str, /, **changes: Any) -> None:
    """Somebody who may write to the bucket puts an accepting verdict there before any was given."""
    order_digest = world.state.order(run)[1]
    shown = json.loads(world.storage.find(world.evidence, names.token(run)) or b'{"token": ""}')
    record = {
        "run": run, "verdict": "met", "reasons": [], "time": world.clock().isoformat(),
        "order_digest": order_digest, "token_digest": canonical.digest(shown["token"].encode()),
        "trust_root": "SIMULATED", "policy_version": "1", "policy_digest": "d", "verifier": "v",
    }  # fmt: skip
    world.storage.put(world.evidence, names.verdict(run), canonical.dumps({**record, **changes}))


def assert_key_closed(world: World, run: str) -> None:
    """The placed acceptance is refused and the key disabled."""
    with pytest.raises(EvidenceError):
        world.call(verify_evidence, run=run)
    assert key_states(world, run) == ["DISABLED"]


@pytest.mark.parametrize(
    "claims", [{"dbgstat": "enabled"}, {"submods__gce__instance_id": "77"}, {"eat_nonce": ["of nobody"]}]
)
def test_placed_acceptance_of_a_bad_token_is_refused(claims: dict[str, Any]) -> None:
    """A verdict that somebody else placed accepts nothing that the token does not show."""
    world = World()
    run = world.start()
    world.attest(run, **claims)
    placed(world, run)
    assert_key_closed(world, run)


def test_placed_acceptance_without_a_token_is_refused() -> None:
    """Nor is silence accepted by a record that says so."""
    world = World()
    run = world.start()
    placed(world, run)
    assert_key_closed(world, run)


@pytest.mark.parametrize(
    "changes",
    [
        {"token_digest": "sha256:" + "00" * 32},
        {"order_digest": "sha256:" + "00" * 32},
        {"run": "r000000000000"},
        {"trust_root": "Google"},
        {"time": "2026-11-20T00:00:00+00:00"},
        {"time": "2026-12-20T00:00:00+00:00"},
        {"time": "2026-11-22T12:00:00"},
        {"time": "yesterday"},
    ],
)
def test_placed_acceptance_that_does_not_follow_is_refused(changes: dict[str, str]) -> None:
    """About another token, order, run or root, or at a time outside the machine's life."""
    world = World()
    run = world.start()
    world.attest(run)
    placed(world, run, **changes)
    assert_key_closed(world, run)


def test_acceptance_ends_with_the_approval_of_its_image() -> None:
    """An image whose approval was withdrawn since is not accepted again, whatever the record allowed."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    world.settings = msgspec.structs.replace(world.settings, approved_images=())
    assert_key_closed(world, run)


def test_refusal_without_reasons_is_still_a_refusal() -> None:
    """A record that says not_met and no more keeps the key closed."""
    world = World()
    run = world.start()
    world.attest(run)
    placed(world, run, verdict="not_met")
    assert_key_closed(world, run)


def test_refusal_is_repeated_and_the_key_disabled_again() -> None:
    """A refusal whose disabling was interrupted disables the key when asked again."""
    world = World()
    run = world.start()
    world.attest(run, swname="GCE")
    assert_refused(world, run, "swname")
    world.kms.states.clear()
    assert_refused(world, run, "swname")


def accepted(world: World) -> str:
    """A run whose machine was accepted."""
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    return run


def test_machine_that_shows_no_fresh_token_any_more_is_refused() -> None:
    """Two intervals without a fresh token close the key of a machine that still runs."""
    world = World()
    run = accepted(world)
    world.time += timedelta(hours=1, minutes=59)
    assert world.call(verify_evidence, run=run).verdict == "met"
    world.time += timedelta(minutes=2)
    with pytest.raises(EvidenceError, match="silence"):
        world.call(verify_evidence, run=run)
    assert key_states(world, run) == ["DISABLED"]


def renewed(world: World, run: str, hours: int = 3, **claims: Any) -> None:
    """So many hours later the machine shows a fresh token."""
    world.time += timedelta(hours=hours)
    world.storage.created = world.time.isoformat()
    now = int(world.time.timestamp())
    world.attest(run, **{"iat": now, "nbf": now, "exp": now + 3600, **claims})


def test_machine_that_renews_its_attestation_goes_on() -> None:
    """A fresh token in the numbered place counts from when the storage took it."""
    world = World()
    run = accepted(world)
    renewed(world, run)
    assert world.call(verify_evidence, run=run).verdict == "met"
    assert key_states(world, run) == ["ENABLED"]


def test_machine_whose_fresh_token_is_worse_is_refused() -> None:
    """What a later token says counts: a machine that can be debugged now loses the key."""
    world = World()
    run = accepted(world)
    renewed(world, run, dbgstat="enabled")
    with pytest.raises(EvidenceError, match="debug"):
        world.call(verify_evidence, run=run)
    assert key_states(world, run) == ["DISABLED"]


def test_a_worse_token_is_not_outlived_by_a_better_one() -> None:
    """A later good token does not hide that the machine could be debugged in between."""
    world = World()
    run = accepted(world)
    renewed(world, run, dbgstat="enabled")
    renewed(world, run, hours=1)
    with pytest.raises(EvidenceError, match="debug"):
        world.call(verify_evidence, run=run)


@pytest.mark.parametrize(
    "claims",
    [{"submods__gce__instance_id": "77"}, {"eat_nonce": ["of nobody"]}, {"dbgstat": "enabled", "aud": "x"}],
)
def test_anothers_later_token_ends_no_run(claims: dict[str, Any]) -> None:
    """What is not this machine's own word neither ends nor prolongs a run, even where its tokens stand."""
    world = World()
    run = accepted(world)
    renewed(world, run)
    renewed(world, run, hours=1, **claims)
    world.storage.put(world.evidence, world.place(run, 3), b"{}")
    assert world.call(verify_evidence, run=run).verdict == "met"
    world.time += timedelta(hours=1, minutes=1)
    with pytest.raises(EvidenceError, match="silence"):
        world.call(verify_evidence, run=run)


def test_a_copy_of_an_earlier_token_is_not_fresh() -> None:
    """A machine that only has its first token shown again is silent."""
    world = World()
    run = accepted(world)
    world.time += timedelta(minutes=50)
    world.storage.created = world.time.isoformat()
    copied = world.storage.get(world.evidence, names.token(run))
    world.storage.create(world.evidence, world.place(run, 1), copied)
    world.time += timedelta(hours=1, minutes=30)
    with pytest.raises(EvidenceError, match="silence"):
        world.call(verify_evidence, run=run)
