"""Tests of rules/job_reasons.py."""

from __future__ import annotations

from typing import get_args

from sealtrain.rules import job_reasons

from workload.errors import Reason


def test_every_word_of_the_workload_has_a_sentence_and_a_remedy() -> None:
    """The list here and the list in the workload are the same."""
    assert set(job_reasons.SENTENCES) == set(get_args(Reason))


def test_a_word_is_told_with_what_happened_and_what_to_do() -> None:
    """An owner who reads the reason knows the next step."""
    said = job_reasons.told("trainer_disk")
    assert "trainer_disk" in said
    assert "limits.disk_bytes" in said


def test_an_unknown_word_is_shown_as_it_came() -> None:
    """A newer workload's word is not hidden."""
    assert job_reasons.told("something_new") == "something_new"


def test_a_told_word_comes_apart_into_what_happened_and_what_to_do() -> None:
    """Every word; what `told` did not give has no remedy here."""
    for word, (happened, remedy) in job_reasons.SENTENCES.items():
        assert job_reasons.split(job_reasons.told(word)) == (f"{word}: {happened}", remedy)
    assert job_reasons.split("something_new") == ("something_new", "")
    assert job_reasons.split("preempted: but other words") == ("preempted: but other words", "")
