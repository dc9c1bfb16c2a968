"""Tests of `cloud.bigquery` on the stand-in."""

import pytest
import requests
from sealtrain.cloud.connect import Cloud
from sealtrain.rules import names
from sealtrain.rules.errors import NotFoundError, SealtrainError


@pytest.fixture
def table(cloud: Cloud) -> str:
    """A table of two columns."""
    s = cloud.settings
    base = f"{s.endpoint}/bigquery/v2/projects/{s.project}/datasets"
    reference = {"projectId": s.project, "datasetId": "sealtrain"}
    fields = [{"name": "run", "type": "STRING", "mode": "REQUIRED"}, {"name": "cost", "type": "FLOAT"}]
    requests.post(base, json={"datasetReference": reference, "location": s.region}, timeout=10)
    body = {"tableReference": {**reference, "tableId": "tests"}, "schema": {"fields": fields}}
    requests.post(f"{base}/sealtrain/tables", json=body, timeout=10)
    return names.table(s, "tests")


def test_rows_go_in_once_and_come_out(cloud: Cloud, table: str) -> None:
    """The same row id twice is one row; a query takes named parameters."""
    rows = cloud.get("bigquery")
    for _ in range(2):
        rows.insert_rows(table, [{"run": "r1", "cost": 0.5}, {"run": "r2", "cost": 1.5}], ["1", "2"])
    sql = f"SELECT run, cost FROM `{table}` WHERE run = @run"  # noqa: S608  # the table's name is ours
    assert rows.query(sql, {"run": "r1"}) == [{"run": "r1", "cost": 0.5}]


def test_a_row_that_does_not_fit_is_an_error(cloud: Cloud, table: str) -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(SealtrainError):
        cloud.get("bigquery").insert_rows(table, [{"nothing": 1}], ["3"])


def test_a_table_that_is_not_there_is_told(cloud: Cloud) -> None:
    """A deployment mistake has its own error."""
    with pytest.raises(NotFoundError):
        cloud.get("bigquery").insert_rows(names.table(cloud.settings, "none"), [{"run": "r"}], ["1"])
