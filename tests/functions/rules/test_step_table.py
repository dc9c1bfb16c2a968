"""Tests of `rules.step_table`."""

import ast
import importlib
import inspect

import pytest
from sealtrain.rules import step_table
from sealtrain.rules.step_table import FUNCTIONS, LISTENERS, STEPS, Function

CLOUD_OBJECTS = {"storage", "state", "kms", "compute", "pubsub", "bigquery", "executions", "ledger"}


def test_names_are_one_word_each() -> None:
    """A step or a listener, no name twice."""
    names = [row.name for row in FUNCTIONS]
    assert sorted(names) == sorted({row.name for row in (*STEPS, *LISTENERS)})


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.name)
def test_a_row_is_complete(row: Function) -> None:
    """Needs are words of `connect`, events read `noun.verbed`, every grant has a reason."""
    assert set(row.needs) <= CLOUD_OBJECTS
    assert row.event.count(".") == 1
    assert row.grants
    assert all(grant.reason and grant.permissions for grant in row.grants)
    assert row.timeout_s <= 540


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.name)
def test_nobody_may_change_iam_or_decrypt_or_rewrite_records(row: Function) -> None:
    """No function sets a policy, unwraps a released key, or deletes state, evidence, a model or a source.

    But for sealing itself: its key rests between two calls, and a job may ask that its source be forgotten.
    """
    for grant in row.grants:
        sealing = row.name == "seal_dataset" and grant.on in {"key:sealing", "bucket:inbox"}
        for permission in grant.permissions:
            assert "setIamPolicy" not in permission
            assert "useToDecrypt" not in permission or sealing
            kept = {"bucket:state", "bucket:evidence", "bucket:inbox", "bucket:models"}
            if grant.on in kept:
                assert not permission.endswith((".delete", ".update")) or sealing


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.name)
def test_a_need_and_a_grant_go_together(row: Function) -> None:
    """Who needs a service may use it, and nobody may use one that it does not need."""
    services = {p.partition(".")[0] for grant in row.grants for p in grant.permissions} - {"iam"}
    service_of = {
        "storage": "storage", "state": "storage", "ledger": "storage", "kms": "cloudkms",
        "compute": "compute", "pubsub": "pubsub", "bigquery": "bigquery", "executions": "workflows",
    }  # fmt: skip
    assert services == {service_of[need] for need in row.needs}


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.name)
def test_what_a_function_needs_it_uses(row: Function) -> None:
    """A cloud object that is only handed in is a grant too many."""
    module = importlib.import_module(f"sealtrain.{row.kind}s.{row.name}")
    [verb] = ast.parse(inspect.getsource(getattr(module, row.name))).body
    assert isinstance(verb, ast.FunctionDef)
    used = {node.id for each in verb.body for node in ast.walk(each) if isinstance(node, ast.Name)}
    assert set(row.needs) <= used


def test_compute_needs_room() -> None:
    """Google's Compute library alone takes about 150 MiB."""
    assert all(row.memory_mib >= 512 for row in FUNCTIONS if "compute" in row.needs)


def test_lookup_is_by_word() -> None:
    """A word that is no function is a KeyError."""
    assert step_table.function("create_key").kind == "step"
    with pytest.raises(KeyError):
        step_table.function("nothing")
