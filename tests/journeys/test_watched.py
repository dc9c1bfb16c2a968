"""A machine must show itself again and again: a deployment with a short interval, in its own stand-in."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sealtrain.rules import names
from sealtrain.rules.uploads import run_of

from tests.journeys.conftest import MINIMAL, TRAINERS
from tests.journeys.used_grants import UsedGrants
from tests.journeys.world import World, start

EVERY_S = 2
ATTEST = "confidentialcomputing.projects.locations.challenges.verifyAttestation"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, used_grants: UsedGrants) -> Iterator[World]:
    """A deployment whose machines attest every two seconds."""
    hangs = [trainer for trainer in TRAINERS if trainer.name == "hangs"]
    stand_in, world = start(tmp_path_factory.mktemp("watched"), [MINIMAL, *hangs], attest_every_s=EVERY_S)
    yield world
    used_grants.note(world)
    stand_in.__exit__(None, None, None)


def test_an_attestation_lost_in_mid_run_closes_the_key(watched: World, few_lines: bytes) -> None:
    """While it trains the VM shows fresh tokens, where no other VM can be before it: records that were put
    into places that can be guessed are in nobody's way. When the attestation service gives it none any more,
    the run sees the silence at its next look: key closed, reason on record, torn down.
    """
    world = watched
    upload = world.upload("lost", few_lines, f"trainer: {world.trainers['hangs']}\n")
    run = run_of(upload)
    below = names.shown_prefix(run)
    for number in range(40):
        world.evidence.blob(f"{below}{number:05d}/token.json").upload_from_string(b"{}")
    again = f"{below}00002-"
    world.until(lambda: list(world.evidence.list_blobs(prefix=again)), "the VM has shown itself anew")
    assert world.json(world.state, names.release(run)), "the job was running"

    world.fault(ATTEST, 403, 1000)
    time.sleep(2 * EVERY_S + 1)  # the functions' own clock is the machine's
    world.post("/_control/clock", {"advance": 61})  # the workflow's wait for a callback

    closed = world.closed(upload)
    world.no_faults()
    assert closed["outcome"] == "refused", closed
    assert "silence" in closed["reason"], closed
    assert world.record(names.receipt(run)) is None
    _is_lost_on_record(world, run)
    key = world.get(f"/v1/{names.run_key(world.settings, run)}/cryptoKeyVersions/1")
    assert key["state"] == "DESTROY_SCHEDULED"
    assert world.bills(run) == []


def _is_lost_on_record(world: World, run: str) -> None:
    """The loss is a record, and the signed bundle's claim on the machine says what it means."""
    lost = world.record(names.lost(run)) or {}
    assert (lost["released"], [one["reason"] for one in lost["reasons"]]) == (True, ["silence"])
    assert world.bundle_problems(run) == []
    report = world.record(names.report(run, "json")) or {}
    claim = next(one for one in report["claims"] if one["id"] == "workload_attested")
    assert claim["verdict"] == "not_met"
    told = "\n".join(claim["reasons"])
    assert f"lost {lost['time']}, by {lost['token']}: silence: " in told
    assert "the data key was handed over" in told
    assert "to do: " in told


def test_a_vm_without_attestation_gets_no_key(watched: World, few_lines: bytes) -> None:
    """A VM that the attestation service refuses ends without a token; its silence is the refusal."""
    world = watched
    world.fault(ATTEST, 403, 1000)
    upload = world.upload("unattested", few_lines, f"trainer: {world.trainers['minimal']}\n")
    reasons = world.key_closed(run_of(upload))
    world.no_faults()
    assert "silence" in reasons, reasons
