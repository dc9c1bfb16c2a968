"""An accepted machine that lost its attestation: what stands on record, in the bundle, and in the claim."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import record_attestation
from sealtrain.rules import bundle, canonical, names, records
from sealtrain.rules.claims import Claim, evaluate
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.facts import Facts
from sealtrain.steps import submit_job, verify_evidence

from cli.explain import explain
from cli.told import Given
from cli.trust import Chosen, Trust
from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World

PEM = authority.public_pem(BUNDLE_KEY)


def accepted(world: World, released: bool = True) -> str:
    """A run whose machine was accepted and, if `released`, given the wrapped data key."""
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    if released:
        world.call(submit_job, run=run)
    return run


def later(world: World, run: str, **claims: Any) -> None:
    """An hour later the machine shows a fresh token."""
    world.time += timedelta(hours=1)
    world.storage.created = world.time.isoformat()
    now = int(world.time.timestamp())
    world.attest(run, **{"iat": now, "nbf": now, "exp": now + 3600, **claims})


def refused(world: World, run: str) -> EvidenceError:
    """The refusal at the next look."""
    with pytest.raises(EvidenceError) as caught:
        world.call(verify_evidence, run=run)
    return caught.value


def loss(world: World, run: str) -> records.Loss:
    """The record of the loss."""
    return records.parse(world.storage.get(world.evidence, names.lost(run)), records.Loss, "lost.json")


def statement(world: World, run: str) -> bundle.Statement:
    """What the bundle states; each of its checks has to hold."""
    signed = world.storage.get(world.evidence, names.bundle(run))
    checks = bundle.verify_bundle(signed, PEM, authority.root_pem())
    assert [check for check in checks if not check.ok] == []
    return bundle.open_statement(signed, PEM)


def attested(claims: tuple[Claim, ...]) -> Claim:
    """The claim on the machine."""
    return next(one for one in claims if one.id == "workload_attested")


def closed(world: World, run: str) -> bundle.Statement:
    """The run's end after a refusal."""
    world.end(run, {"code": "evidence_refused", "message": "the machine's evidence is refused"})
    return statement(world, run)


@pytest.mark.parametrize("released", [True, False])
def test_a_worse_later_token_is_a_record_and_ends_the_claim(released: bool) -> None:
    """Which token, when, why, whether the key had been handed over, and what to do: in record and claim."""
    world = World()
    run = accepted(world, released)
    later(world, run)
    later(world, run, dbgstat="enabled")
    told = refused(world, run)
    found = loss(world, run)
    name = world.place(run, 2)
    assert (found.token, found.released, found.time) == (name, released, world.time.isoformat())
    assert found.token_sha256 == canonical.digest(world.storage.get(world.evidence, name))
    assert [one.reason for one in found.reasons] == ["debug"]
    assert ("hold the data for known" in str(told.body.remedy)) == released
    stated = closed(world, run).predicate
    claim = attested(stated.claims)
    assert (stated.outcome, claim.verdict) == ("refused", "not_met")
    reasons = "\n".join(claim.reasons)
    assert f"lost {found.time}, by {name}: debug: " in reasons
    assert ("the data key was handed over 20" in reasons, "was not handed over" in reasons) == (
        released,
        not released,
    )
    assert "to do: " in reasons
    assert stated.evidence.records["lost_token"].name == name
    assert {names.lost(run), name} <= {one.name for one in claim.records}
    rows = [row for (table, _), row in world.bigquery.rows.items() if table == "attestations"]
    assert [(row["verdict"], row["kind"]) for row in rows] == [
        ("met", "attestation token"),
        ("not_met", "lost attestation"),
    ]


def test_silence_names_the_last_good_token() -> None:
    """Two intervals without a fresh token: the record says how old the newest is, and which."""
    world = World()
    run = accepted(world)
    later(world, run)
    world.time += timedelta(hours=2, minutes=1)
    refused(world, run)
    found = loss(world, run)
    assert [one.reason for one in found.reasons] == ["silence"]
    assert found.token == world.place(run, 1)
    assert attested(closed(world, run).predicate.claims).verdict == "not_met"


def test_the_first_loss_stands() -> None:
    """A machine that shows a good token after its silence does not get its run back."""
    world = World()
    run = accepted(world)
    world.time += timedelta(hours=2, minutes=1)
    refused(world, run)
    first = loss(world, run)
    later(world, run)
    world.kms.states.clear()
    assert "silence" in str(refused(world, run))
    assert loss(world, run) == first
    assert world.kms.list_versions(names.run_key(world.settings, run))[0].state == "DISABLED"


def test_an_alarm_about_the_machine_ends_the_claim() -> None:
    """What only the listener saw is in the bundle as well: the first alarm, with its reason."""
    world = World()
    run = accepted(world)
    entry = world.log_entry(run)
    later(world, run, dbgstat="enabled")
    world.call_raw(record_attestation, entry)
    world.call_raw(record_attestation, {**entry, "insertId": "a-second-one"})
    world.end(run, {"code": "workflow_ended"})
    stated = statement(world, run).predicate
    claim = attested(stated.claims)
    assert claim.verdict == "not_met"
    assert "alarm " in claim.reasons[1]
    assert "debug" in claim.reasons[1]
    assert stated.evidence.records["alert"].name.startswith(names.alert_prefix(run))


@pytest.mark.parametrize("change", [{"run": "r000000000000"}, {"more": 1}])
def test_a_broken_record_of_a_loss_is_no_acceptance(change: dict[str, Any]) -> None:
    """It cannot be read, so it is told: the claim is not met, and the bundle's check names it."""
    world = World()
    run = accepted(world)
    world.time += timedelta(hours=2, minutes=1)
    refused(world, run)
    evidence = closed(world, run).predicate.evidence
    kept = evidence.records["lost"]
    text = canonical.dumps({**canonical.loads(kept.text.encode()), **change}).decode()
    broken = msgspec.structs.replace(kept, text=text, sha256=canonical.digest(text.encode()))
    changed = msgspec.structs.replace(evidence, records={**evidence.records, "lost": broken})
    assert attested(evaluate(Facts(changed, authority.root_pem()))).verdict == "not_met"


def test_a_loss_without_its_token_is_no_good_bundle() -> None:
    """Whoever closes a run cannot leave out what the loss is about."""
    world = World()
    run = accepted(world)
    later(world, run, dbgstat="enabled")
    refused(world, run)
    world.storage.objects.pop((world.evidence, world.place(run, 1)))
    world.end(run, {"code": "evidence_refused"})
    signed = world.storage.get(world.evidence, names.bundle(run))
    failed = [one for one in bundle.verify_bundle(signed, PEM, authority.root_pem()) if not one.ok]
    assert [one.name for one in failed] == ["later attestations"]


def test_a_loss_is_explained() -> None:
    """By itself and in its bundle: the reason, the token, and what is left to do."""
    world = World()
    run = accepted(world)
    later(world, run, dbgstat="enabled")
    refused(world, run)
    given = Given(at=world.time, trust=Chosen(Trust(PEM, authority.root_pem()), "ours"))
    told = explain(world.storage.get(world.evidence, names.lost(run)), given)
    assert (told.kind, told.verdict) == ("lost attestation", "not_met")
    assert "hold the data for known" in told.about["to do"]
    closed(world, run)
    whole = explain(world.storage.get(world.evidence, names.bundle(run)), given)
    assert [one.reason for one in whole.findings] == ["debug"]
    assert "workload_attested" in [one.id for one in whole.claims]
