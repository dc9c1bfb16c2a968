"""Progress from records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules.step_table import STEPS

from cli.progress import derive

RUN = "r0123456789ab"
WAY = {
    "state": ["claim.json", "job.json", "plan.json", "order.json", "release.json", "completion.json"],
    "evidence": [
        "ledger/r0123456789ab.key.intent.json",
        "ledger/r0123456789ab.key.made.json",
        "ledger/b.bucket.made.json",
        "ledger/sealtrain-r0123456789ab@us-central1-a.instance.made.json",
        "evidence/verdict.json",
        "evidence/published.json",
        "proof.json",
        "closed.json",
    ],
    "shown": ["token.json", "receipt.json"],
}


def at(names: list[str], second: int = 0) -> list[tuple[str, str]]:
    """Records with times."""
    return [(name, f"2026-01-01T00:00:{second:02}Z") for name in names]


def test_a_run_without_records_waits_for_its_start() -> None:
    """Nothing is there yet: the first phase is what is waited for."""
    found = derive(RUN, {})
    assert found.waiting_for is not None
    assert found.waiting_for.word == "start_run"


def test_intent_alone_is_not_a_phase() -> None:
    """A resource counts as made when its ledger says made."""
    found = derive(RUN, {"evidence": at(["ledger/x.key.intent.json"])})
    assert not any(phase.time for phase in found.phases)


def test_a_whole_run_has_every_needed_phase_and_its_end() -> None:
    """All records of a good run give all phases, in the order of the way."""
    found = derive(RUN, {where: at(names) for where, names in WAY.items()}, {"outcome": "succeeded"})
    assert [p.word for p in found.phases if p.needed and not p.time] == []
    assert found.ended
    assert found.waiting_for is None


def test_a_failed_run_waits_for_its_teardown_not_for_the_steps_it_skipped() -> None:
    """What comes after the last thing done is waited for."""
    records = {"state": at(["claim.json", "job.json"]), "evidence": at(["proof.json"])}
    found = derive(RUN, records)
    assert found.waiting_for is not None
    assert found.waiting_for.word == "close_run"


def test_a_refusal_is_an_end() -> None:
    """A refused upload makes nothing more."""
    found = derive(RUN, {}, refusal={"code": "bad_job"})
    assert found.ended


def test_every_step_has_its_phase() -> None:
    """A phase has its step's word; a step without a phase could not be seen."""
    words = {phase.word for phase in derive(RUN, {}).phases}
    assert {step.name for step in STEPS} <= words


@given(st.dictionaries(st.sampled_from(["state", "evidence"]), st.lists(st.tuples(st.text(), st.text()))))
def test_any_object_names_are_survived(records: dict[str, list[tuple[str, str]]]) -> None:
    """Foreign objects in the buckets are not phases and not errors."""
    derive(RUN, records)
