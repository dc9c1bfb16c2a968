"""Closing a run however it ended: bundle, reports, rows and the end."""

import json

import pytest
from sealtrain.listeners import record_attestation, tear_down
from sealtrain.rules import bundle, names
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.proof import RUN_ENDED
from sealtrain.steps import close_run, verify_evidence

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World

PEM = authority.public_pem(BUNDLE_KEY)


def stored(world: World, name: str) -> bytes:
    return world.storage.get(world.evidence, name)


def failed_checks(world: World, run: str) -> list[bundle.Check]:
    checks = bundle.verify_bundle(stored(world, names.bundle(run)), PEM, authority.root_pem())
    assert len(checks) > 8
    return [check for check in checks if not check.ok]


def test_successful_run_closes_with_its_claims() -> None:
    """A good run's bundle checks offline and claims what its records show."""
    world = World()
    run = world.succeed()
    closed = world.end(run)
    assert closed.outcome == "succeeded"
    assert closed.claims == {
        "dataset_bound": "met",
        "workload_attested": "met",
        "key_released_after_verdict": "met",
        "key_log": "no_evidence",
        "model_from_attested_workload": "met",
        "encrypted_at_rest": "met",
        "confidential_hardware": "met",
        "gpu_attested": "not_applicable",
        "within_limits": "met",
        "nothing_left": "met",
        "logs_recorded": "no_evidence",
    }
    assert failed_checks(world, run) == []


def test_collected_logs_are_claimed() -> None:
    """With the key service's log collected, who opened the key is claimed."""
    world = World()
    run = world.succeed()
    world.call_raw(record_attestation, world.log_entry(run))
    closed = world.end(run)
    assert (closed.claims["key_log"], closed.claims["logs_recorded"]) == ("met", "met")
    assert failed_checks(world, run) == []


def test_key_opened_by_another_is_not_met() -> None:
    """A decryption by anybody but the attested machine fails the claim, by name and time."""
    world = World()
    run = world.succeed()
    entry = world.log_entry(run)
    entry["protoPayload"]["authenticationInfo"] = {"principalEmail": "operator@example.com"}
    world.call_raw(record_attestation, entry)
    assert world.end(run).claims["key_log"] == "not_met"


def test_refused_evidence_closes_as_refused() -> None:
    """A run whose token is refused closes with the reason, and its bundle still checks."""
    world = World()
    run = world.start()
    world.attest(run, dbgstat="enabled")
    with pytest.raises(EvidenceError):
        world.call(verify_evidence, run=run)
    closed = world.end(run, {"code": "evidence_refused", "message": "debug"})
    assert closed.outcome == "refused"
    assert closed.claims["workload_attested"] == "not_met"
    assert closed.claims["nothing_left"] == "met"
    assert failed_checks(world, run) == []
    page = stored(world, names.report(run, "html")).decode()
    assert "debug: dbgstat" in page


def test_run_that_made_nothing_closes() -> None:
    """A run that failed right after admission closes with no evidence, without an exception."""
    world = World()
    run = world.admit()
    closed = world.end(run, {"code": "unsupported_shape", "message": "no such machine"})
    assert closed.outcome == "refused"
    assert set(closed.claims.values()) <= {"no_evidence", "met"}
    assert failed_checks(world, run) == []


def test_run_whose_teardown_was_asked_for_closes_as_torn_down() -> None:
    """Whoever asked for the end before the workflow did is on record."""
    world = World()
    run = world.start()
    world.call(tear_down, run=run, reason="asked for by user:you@localhost")
    closed = world.end(run, {"code": "LOST", "message": "the VM is gone"})
    assert closed.outcome == "torn_down"
    end = json.loads(stored(world, names.closed(run)))
    assert "user:you@localhost" in end["reason"]
    assert closed.claims["workload_attested"] == "not_met"  # it ran and showed no token


def test_failed_training_closes_as_failed() -> None:
    """A failed training leaves no receipt and claims none."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(verify_evidence, run=run)
    closed = world.end(run, {"code": "FAILED", "message": "trainer exited 1"})
    assert closed.outcome == "failed"
    assert closed.claims["model_from_attested_workload"] == "no_evidence"
    assert closed.claims["workload_attested"] == "met"


def test_a_long_reason_keeps_what_to_do() -> None:
    """The remedy stands at its end: field and got, however long an owner's names are, do not push it out."""
    world = World()
    run = world.prepare()
    failure = {"code": "refused", "message": "no", "field": "f" * 512, "got": "g", "remedy": "correct it"}
    world.end(run, failure)
    closed = json.loads(stored(world, names.closed(run)))
    assert closed["reason"].endswith("; do correct it)")


def test_closing_twice_changes_nothing() -> None:
    """A repeated close gives the same answer and the same stored bytes."""
    world = World()
    run = world.succeed()
    first = world.end(run)
    before = dict(world.storage.objects)
    assert world.call(close_run, run=run, failure={"code": "other"}) == first
    assert world.storage.objects == before


def test_closing_survives_dying_after_any_write() -> None:
    """A process that dies anywhere while closing is finished by the next call."""
    for step in range(1, 6):
        world = World()
        run = world.succeed()
        world.call(tear_down, run=run, reason=RUN_ENDED)
        world.storage.dies_at = world.storage.writes + step
        with pytest.raises(Exception, match=r"runs/"):
            world.call(close_run, run=run)
        world.storage.dies_at = 0
        assert world.call(close_run, run=run).outcome == "succeeded"
        assert failed_checks(world, run) == []


def test_garbage_instead_of_records_is_told() -> None:
    """Broken records of a workload never stop the closing; they fail the claims."""
    for name in ("token", "receipt"):
        for garbage in (b"\xff\xfe", b"[]", b"{" * 2000, b"x" * (5 << 20)):
            world = World()
            run = world.start()
            world.storage.put(world.evidence, getattr(names, name)(run), garbage)
            closed = world.end(run, {"code": "FAILED"})
            assert closed.claims["workload_attested"] == "not_met"
            assert closed.claims["model_from_attested_workload"] != "met"


def test_resources_tell_made_and_gone() -> None:
    """resources.json lists every resource with its times and the query that saw it absent."""
    world = World()
    run = world.succeed()
    world.end(run)
    lines = json.loads(stored(world, names.resources(run)))["resources"]
    assert [line["kind"] for line in lines] == ["key", "bucket", "instance"]
    assert all(line["created"] < line["seen_absent"] and line["query"] for line in lines)


def test_rows_are_about_records() -> None:
    """A closed run has one row, and its token one, each naming its record by digest."""
    world = World()
    run = world.succeed()
    world.end(run)
    rows = {table: row for (table, _), row in world.bigquery.rows.items()}
    assert rows["runs"]["outcome"] == "succeeded"
    assert rows["runs"]["trust_root"] == "SIMULATED"
    assert rows["attestations"]["evidence_object"] == names.token(run)
    assert rows["attestations"]["verdict"] == "met"


def test_report_and_page_have_equal_numbers_and_no_secret() -> None:
    """JSON and page come from one model; the page says SIMULATED and shows neither token nor script."""
    world = World()
    run = world.succeed()
    world.end(run)
    made = json.loads(stored(world, names.report(run, "json")))
    page = stored(world, names.report(run, "html")).decode()
    assert made["simulated"]
    assert "Trust root: SIMULATED" in page
    for number in (*made["totals"].values(), made["metrics"]["accuracy"]):
        assert f">{number}</b>" in page
    token = json.loads(stored(world, names.token(run)))["token"]
    assert token.split(".")[2] not in page + json.dumps(made)
    assert "<script" not in page
    assert made["caveat"] in page


def test_log_entries_beyond_the_limit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that does not hold every entry says how many it lacks, and so does the report."""
    monkeypatch.setattr(close_run, "LOGS_MAX", 2)
    world = World()
    run = world.succeed()
    for number in range(5):
        world.call_raw(record_attestation, world.log_entry(run, insertId=f"entry-{number}"))
    closed = world.end(run)
    assert (closed.claims["key_log"], closed.claims["logs_recorded"]) == ("no_evidence", "no_evidence")
    assert failed_checks(world, run) == []
    stated = bundle.open_statement(stored(world, names.bundle(run)), PEM).predicate
    assert (len(stated.evidence.logs), stated.evidence.logs_left_out) == (2, 3)
    page = stored(world, names.report(run, "html")).decode()
    assert "3 log entries" in page
    assert "3 log entries" in json.dumps(json.loads(stored(world, names.report(run, "json")))["not_checked"])


def test_success_that_the_records_do_not_show_closes_as_failed() -> None:
    """The workflow's silence about a failure is no success: a claim that is not met is."""
    world = World()
    run = world.succeed()
    entry = world.log_entry(run)
    entry["protoPayload"]["authenticationInfo"] = {"principalEmail": "operator@example.com"}
    world.call_raw(record_attestation, entry)
    closed = world.end(run)
    assert closed.outcome == "failed"
    assert "key_log is not_met" in json.loads(stored(world, names.closed(run)))["reason"]
    assert failed_checks(world, run) == []


def test_what_the_workload_could_put_among_logs_and_ledger_stays_out() -> None:
    """A name that is not a log's or an entry's: whoever could put it there, it becomes neither."""
    world = World()
    run = world.succeed()
    entry = world.log_entry(run)
    entry["protoPayload"]["authenticationInfo"] = {"principalEmail": "nobody@example.com"}
    for place in ("logs/", "logs/x/", "ledger/", "ledger/x/"):
        name = f"runs/{run}/{place}evidence/token.json"
        world.storage.put(world.evidence, name, json.dumps(entry).encode())
    closed = world.end(run)
    assert (closed.outcome, closed.claims["key_log"]) == ("succeeded", "no_evidence")
    assert failed_checks(world, run) == []
