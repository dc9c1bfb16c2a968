"""What `sealtrain status` says of a run among the attempts at its upload."""

from __future__ import annotations

from cli.verbs.status import chain_lines

ONE, TWO, THREE = "r000000000001", "r000000000002", "r000000000003"


def test_a_run_in_the_middle_names_the_one_before_and_the_one_after() -> None:
    """Whose checkpoint it goes on from, and which run follows it."""
    before, after = chain_lines(2, ONE, THREE)
    assert before == f"  attempt 2: goes on from the checkpoint of run {ONE}"
    assert after.endswith(f"run {THREE}")


def test_an_attempt_without_a_checkpoint_begins_anew() -> None:
    """It says so; a run that stands alone says nothing."""
    assert chain_lines(2, "", "") == ["  attempt 2: begins anew"]
    assert chain_lines(1, "", "") == []
    assert chain_lines(None, "", "") == []
