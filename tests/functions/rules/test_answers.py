"""Tests of `rules.answers`."""

import inspect

import pytest
from sealtrain.rules import answers, errors


def test_every_error_has_a_status_or_is_internal() -> None:
    """Each error type stands in the one table; only the base and bad settings are 500."""
    types = [
        t for _, t in inspect.getmembers(errors, inspect.isclass) if issubclass(t, errors.SealtrainError)
    ]
    without = {t.__name__ for t in types if t not in answers.HTTP_STATUS}
    assert without == {"SealtrainError", "SettingsError"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequestError("x"), 400),
        (errors.RefusedError("x"), 422),
        (errors.EvidenceError("x"), 412),
        (errors.NotReadyError("x"), 503),
        (errors.UnavailableError("x"), 503),
        (errors.ThrottledError("x"), 429),
        (ValueError("x"), 500),
    ],
)
def test_status_is_by_type(error: Exception, status: int) -> None:
    """The status of an error follows from its type alone."""
    assert answers.status_of(error) == status


def test_only_errors_that_may_pass_are_answered_so_that_the_workflow_retries() -> None:
    """429 and 503 are exactly the retryable types."""
    retried = {t for t, status in answers.HTTP_STATUS.items() if status in {429, 503}}
    assert retried == {t for t in answers.HTTP_STATUS if issubclass(t, errors.RETRYABLE)}


def test_a_foreign_error_shows_no_detail() -> None:
    """What was unexpected is told by a reference, never by its text."""
    told = answers.answer(ValueError("secret"), "ref-1")
    assert told["error"]["code"] == "internal"
    assert "secret" not in str(told)
    assert "ref-1" in str(told)
