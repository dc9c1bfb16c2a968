"""Tests of `rules.names`."""

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules import names, step_table
from sealtrain.rules.errors import InvalidRequestError

from tests.functions.memory import SETTINGS

RUN = "r0123456789ab"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXT, TEXT, st.integers(1, 2**62).map(str), st.integers(1, 1000))
def test_run_id_is_derived_and_well_formed(bucket: str, name: str, generation: str, attempt: int) -> None:
    """The same upload and attempt give the same id, of the one form."""
    found = names.run_id(bucket, name, generation, attempt)
    assert names.RUN_ID.fullmatch(found)
    assert found == names.run_id(bucket, name, generation, attempt)
    assert found != names.run_id(bucket, name, generation, attempt + 1)


@pytest.mark.parametrize(
    "text", ["", "r0123456789aB", "x0123456789ab", "r0123456789ab/", "r0123456789abc", RUN + "\n"]
)
def test_nothing_else_is_a_run_id(text: str) -> None:
    """A run id that came from outside cannot reach another path."""
    with pytest.raises(InvalidRequestError):
        names.checked_run_id(text)


def test_buckets_are_valid_and_apart() -> None:
    """No fixed bucket's name begins like a run's, so a condition on the prefix hits run buckets only."""
    fixed = [
        names.inbox_bucket(SETTINGS),
        names.state_bucket(SETTINGS),
        names.evidence_bucket(SETTINGS),
        names.models_bucket(SETTINGS),
        names.checkpoints_bucket(SETTINGS),
    ]
    assert not any(name.startswith(names.sealed_bucket_prefix(SETTINGS)) for name in fixed)
    assert names.sealed_bucket(SETTINGS, RUN) == f"sealtrain-demo-project-{RUN}"
    for name in [*fixed, names.sealed_bucket(SETTINGS, RUN)]:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name)


@pytest.mark.parametrize("row", step_table.FUNCTIONS, ids=lambda row: row.name)
def test_accounts_fit_the_platforms_limit(row: step_table.Function) -> None:
    """An account's id has 6 to 30 characters even with the longest deployment name."""
    local = names.service_account(SETTINGS, row.name).partition("@")[0]
    assert re.fullmatch(r"[a-z](?:[a-z0-9-]{4,28}[a-z0-9])", local)


def test_paths_of_a_run_stay_under_its_prefix() -> None:
    """Every object path of a run holds its id as a whole segment."""
    single = [names.refusal, names.claim, names.job, names.plan, names.order, names.release, names.completion]
    for path in single:
        assert RUN in re.split(r"[/.]", path(RUN))
    assert names.held(RUN, "sha256:abc") == f"runs/{RUN}/abc.held.json"


def test_every_name_is_documented() -> None:
    """Each public name function says what it names."""
    public = [f for n, f in inspect.getmembers(names, inspect.isfunction) if f.__module__ == names.__name__]
    assert [f.__name__ for f in public if not f.__doc__] == []


def test_pool_and_members_are_by_project_number() -> None:
    """The token exchange and its members name the project by number, as Google does."""
    assert names.sts_audience(SETTINGS) == (
        "//iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools/"
        "sealtrain-attested/providers/attestation-verifier"
    )
    assert names.attested_member(SETTINGS, "sha256:aa").endswith("/attribute.image_digest/sha256:aa")
