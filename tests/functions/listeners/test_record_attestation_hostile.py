"""Entries about a run whose shown records another VM wrote: kept and acted on all the same."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sealtrain.listeners import record_attestation
from sealtrain.rules import canonical, names, records
from sealtrain.rules.errors import EvidenceError, UnavailableError
from sealtrain.steps import verify_evidence

from tests.functions import authority
from tests.functions.closing import World
from tests.functions.listeners.test_record_attestation import booted, closed_with, integrity


def show_first(world: World, run: str, key_pem: str) -> None:
    """Another VM of the workload account writes the run's first token record, with a key of its choice."""
    digest = world.state.order(run)[1]
    body = authority.claims(records.nonce(digest, key_pem), submods__gce__instance_id="666")
    record = records.TokenRecord(authority.issue(body), key_pem, digest)
    world.storage.create(world.evidence, names.token(run), canonical.dumps(record))


@pytest.mark.parametrize("token", [b"{}", b"x", b"", b'{"order_digest":"","public_key_pem":"","token":""}'])
def test_an_alarm_is_acted_on_whatever_stands_as_the_first_token(token: bytes) -> None:
    """A first token record that cannot be read keeps no entry from being kept and acted on."""
    world = World()
    run = world.start()
    world.storage.create(world.evidence, names.token(run), token)
    entry = integrity(run, lateBootReportEvent={"policyEvaluationPassed": False})
    assert world.call_raw(record_attestation, entry).alarm == "integrity"
    assert world.storage.get(world.evidence, closed_with(world, run, "integrity").source)


@pytest.mark.parametrize("accepted", [False, True])
def test_an_alarm_is_acted_on_though_the_machines_key_gives_no_places(accepted: bool) -> None:
    """A key of another curve has no later tokens to judge, be its token accepted or not."""
    world = World()
    run = world.start()
    world.workload_key = ec.generate_private_key(ec.SECP384R1())
    if accepted:
        world.attest(run)
        with pytest.raises(EvidenceError, match="another kind"):
            world.call(verify_evidence, run=run)
        assert world.storage.find(world.evidence, names.verdict(run)) is not None
    else:
        show_first(world, run, authority.public_pem(world.workload_key))
    entry = integrity(run, lateBootReportEvent={"policyEvaluationPassed": False})
    assert world.call_raw(record_attestation, entry).alarm == "integrity"
    closed_with(world, run, "integrity")


def test_an_alarm_is_acted_on_though_no_machine_is_made() -> None:
    """Tokens that stand before any machine is made are judged by nobody, and no entry is dropped for them."""
    world = World()
    run = world.prepare()
    zone = "projects/demo-project/zones/us-central1-a"
    world.ledger.intent(run, "instance", f"{zone}/instances/sealtrain-{run}")
    show_first(world, run, authority.public_pem(world.workload_key))
    world.storage.create(world.evidence, world.place(run, 1), b"{}")
    entry = integrity(run, lateBootReportEvent={"policyEvaluationPassed": False})
    assert world.call_raw(record_attestation, entry).alarm == "integrity"
    closed_with(world, run, "integrity")


def test_a_key_use_is_kept_though_the_first_token_cannot_be_read() -> None:
    """The key service's entry is on record, with its row, whatever the machine's records look like."""
    world = World()
    run = world.start()
    world.storage.create(world.evidence, names.token(run), b"{}")
    kept = world.call_raw(record_attestation, world.log_entry(run))
    assert (world.storage.find(world.evidence, kept.object) is not None, kept.alarm) == (True, "")
    assert [row["verdict"] for row in world.bigquery.rows.values()] == ["recorded"]


def test_later_records_of_a_machine_that_was_not_accepted_are_not_looked_at() -> None:
    """However many records stand where a foreign first token leads, an entry costs the same."""
    world = World()
    run = world.start()
    show_first(world, run, authority.public_pem(world.workload_key))
    for number in range(1, 20):
        world.storage.create(world.evidence, world.place(run, number), b"{}")
    assert world.call_raw(record_attestation, booted(run)).alarm == ""
    assert world.storage.list(world.evidence, names.judgement_prefix(run)) == []
    with pytest.raises(EvidenceError, match="refused: instance"):
        world.call(verify_evidence, run=run)
    assert world.call_raw(record_attestation, {**booted(run), "insertId": "after"}).alarm == ""
    assert world.storage.list(world.evidence, names.judgement_prefix(run)) == []


@pytest.mark.parametrize("record", [names.verdict, names.token, names.place_key, names.plan])
def test_an_unreachable_record_is_tried_again(
    record: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the cloud does not answer the delivery fails, to come again; the entry is kept by then."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    for method in ("get", "find"):
        monkeypatch.setattr(world.storage, method, unreachable(getattr(world.storage, method), record(run)))
    with pytest.raises(UnavailableError):
        world.call_raw(record_attestation, booted(run))
    monkeypatch.undo()
    assert [one.name for one in world.storage.list(world.evidence, f"runs/{run}/logs/")] == [
        names.log_entry(run, "integrity-1")
    ]


def unreachable(answer: Callable[..., Any], lost: str) -> Callable[..., Any]:
    """As `answer`, but the cloud cannot be reached for the object `lost`."""

    def asked(bucket: str, name: str, *more: Any) -> Any:
        if name == lost:
            raise UnavailableError("the platform does not answer", field=name)
        return answer(bucket, name, *more)

    return asked
