"""Datasets, tables, rows and queries through the official client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
    PreconditionFailed,
)
from google.cloud import bigquery
from google.cloud.bigquery import ArrayQueryParameter, QueryJobConfig, ScalarQueryParameter, SchemaField

from tests.localcloud.conftest import World

SCHEMA = [
    SchemaField("run", "STRING", "REQUIRED"),
    SchemaField("n", "INT64"),
    SchemaField("usd", "FLOAT64"),
    SchemaField("tee", "BOOL"),
    SchemaField("at", "TIMESTAMP"),
    SchemaField("day", "DATE"),
    SchemaField("detail", "JSON"),
    SchemaField("reasons", "STRING", "REPEATED"),
]
AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
ROW: dict[str, Any] = {
    "run": "r1",
    "n": 2**53 + 1,
    "usd": 0.5,
    "tee": True,
    "at": AT.isoformat(),
    "day": "2026-01-02",
    "detail": '{"a": 1}',
    "reasons": ["x", "y"],
}


@pytest.fixture(scope="module")
def client(world: World) -> bigquery.Client:
    """The client of a project with the dataset `facts`."""
    made = world.bigquery()
    dataset = bigquery.Dataset("demo-project.facts")
    dataset.labels = {"a": "b"}
    made.create_dataset(dataset)
    return made


def make(client: bigquery.Client, name: str, *rows: dict[str, Any]) -> str:
    """A table of the schema above with rows; its full name."""
    table = bigquery.Table(f"demo-project.facts.{name}", SCHEMA)
    client.create_table(table)
    if rows:
        assert client.insert_rows_json(table, list(rows)) == []
    return f"facts.{name}"


def test_dataset_and_table_are_kept(client: bigquery.Client) -> None:
    """Labels, schema, partitioning and clustering are read back; names are taken once."""
    assert client.get_dataset("facts").labels == {"a": "b"}
    assert "facts" in [one.dataset_id for one in client.list_datasets()]
    table = bigquery.Table("demo-project.facts.kept", SCHEMA)
    table.time_partitioning = bigquery.TimePartitioning(field="at")
    table.clustering_fields = ["run"]
    client.create_table(table)
    read = client.get_table("facts.kept")
    assert [(f.name, f.mode) for f in read.schema] == [(f.name, f.mode) for f in SCHEMA]
    assert read.time_partitioning.field == "at"
    assert read.clustering_fields == ["run"]
    assert "kept" in [one.table_id for one in client.list_tables("facts")]
    with pytest.raises(Conflict):
        client.create_table(table)
    with pytest.raises(Conflict):
        client.create_dataset("facts")
    with pytest.raises(NotFound):
        client.get_table("facts.missing")


def test_rows_round_trip(client: bigquery.Client) -> None:
    """Each type comes back as it went in, by reading the table and by a query of either kind."""
    name = make(client, "typed", ROW, {"run": "r2"})
    expected = ("r1", 2**53 + 1, 0.5, True, AT, date(2026, 1, 2), {"a": 1}, ["x", "y"])
    empty = ("r2", None, None, None, None, None, None, [])
    sql = f"SELECT * FROM `demo-project.{name}` ORDER BY run"  # noqa: S608
    for rows in (client.list_rows(name), client.query(sql).result(), client.query_and_wait(sql)):
        assert [row.values() for row in rows] == [expected, empty]
    assert client.get_table(name).num_rows == 2


def test_lists_and_odd_numbers(client: bigquery.Client) -> None:
    """Lists of times, epoch seconds and numbers that are none come back as what they are."""
    schema = [SchemaField("times", "TIMESTAMP", "REPEATED"), SchemaField("usd", "FLOAT64")]
    client.create_table(bigquery.Table("demo-project.facts.odd", schema))
    rows = [{"times": [AT.isoformat(), 1_700_000_000], "usd": "NaN"}, {"usd": "-inf"}, {"usd": 2}]
    assert client.insert_rows_json("facts.odd", rows) == []
    first, second, third = client.list_rows("facts.odd")
    assert first.times == [AT, datetime.fromtimestamp(1_700_000_000, UTC)]
    assert first.usd != first.usd
    assert (second.usd, third.usd) == (float("-inf"), 2.0)
    bad = [{"times": [True]}, {"usd": True}, {"times": AT.isoformat()}]
    assert len(client.insert_rows_json("facts.odd", bad)) == 3
    client.delete_table("facts.odd")
    with pytest.raises(NotFound):
        client.get_table("facts.odd")


def test_the_schema_is_enforced(client: bigquery.Client) -> None:
    """Unknown fields, missing ones and wrong values are named; one bad row stops the others."""
    name = make(client, "strict")
    rows = [
        {"run": "good"},
        {"run": "x", "unknown": 1},
        {"n": 1},
        {"run": "x", "n": "many"},
        {"run": "x", "at": "noon"},
        {"run": "x", "reasons": "not a list"},
        {"run": ["x"]},
    ]
    errors = {one["index"]: one["errors"][0] for one in client.insert_rows_json(name, rows)}
    assert errors[0]["reason"] == "stopped"
    named = ["unknown", "run", "n", "at", "reasons", "run"]
    assert [errors[index]["location"] for index in range(1, 7)] == named
    assert client.get_table(name).num_rows == 0
    left = client.insert_rows_json(name, rows, skip_invalid_rows=True)
    assert sorted(one["index"] for one in left) == [1, 2, 3, 4, 5, 6]
    assert client.get_table(name).num_rows == 1


def test_rows_that_the_engine_refuses_leave_nothing(client: bigquery.Client) -> None:
    """A JSON column's text that is no JSON: 400, and the good row before it is not kept either."""
    name = make(client, "refused")
    with pytest.raises(BadRequest, match="JSON"):
        client.insert_rows_json(name, [{"run": "good"}, {"run": "bad", "detail": "{"}])
    assert client.get_table(name).num_rows == 0


def test_insert_id_is_taken_once_a_minute(world: World, client: bigquery.Client) -> None:
    """A repeated insert adds nothing at first; a minute later it does. Without an id each adds a row."""
    name = make(client, "deduplicated")
    for _ in range(2):
        assert client.insert_rows_json(name, [{"run": "r1"}], row_ids=["id-1"]) == []
    assert client.get_table(name).num_rows == 1
    world.cloud.clock.advance(61)
    client.insert_rows_json(name, [{"run": "r1"}], row_ids=["id-1"])
    assert client.get_table(name).num_rows == 2
    for _ in range(2):
        client.insert_rows_json(name, [{"run": "r1"}], row_ids=bigquery.AutoRowIDs.DISABLED)
    assert client.get_table(name).num_rows == 4


def test_query_with_parameters(world: World, client: bigquery.Client) -> None:
    """Named parameters are typed values, never SQL; aggregates and unnamed columns work."""
    evil = "x'; DROP TABLE facts.asked; --"
    name = make(client, "asked", ROW, {**ROW, "run": evil, "at": (AT + timedelta(days=1)).isoformat()})
    config = QueryJobConfig(
        query_parameters=[
            ScalarQueryParameter("run", "STRING", evil),
            ScalarQueryParameter("start", "TIMESTAMP", AT),
            ArrayQueryParameter("days", "DATE", [date(2026, 1, 2)]),
        ]
    )
    where = "WHERE run = @run AND at > @start AND day IN UNNEST(@days) AND at < CURRENT_TIMESTAMP()"
    sql = f"SELECT COUNT(*), MAX(at) AS last FROM {name} {where}"  # noqa: S608
    rows = [row.values() for row in client.query_and_wait(sql, job_config=config)]
    assert rows == [(1, AT + timedelta(days=1))]
    with pytest.raises(BadRequest, match="parameter 'run'"):
        client.query_and_wait("SELECT @run")


def test_pages_of_a_result(client: bigquery.Client) -> None:
    """A long result comes in pages, in order."""
    sql = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25)) AS n ORDER BY n DESC"
    rows = client.query(sql).result(page_size=10)
    assert [row.n for row in rows] == list(range(25, 0, -1))


def test_other_forms_of_a_query(world: World, client: bigquery.Client) -> None:
    """Common table expressions, positional parameters, the stand-in's date, a default dataset, a dry run."""
    make(client, "forms", ROW)
    dataset = bigquery.DatasetReference("demo-project", "facts")
    config = QueryJobConfig(
        default_dataset=dataset, query_parameters=[ScalarQueryParameter(None, "INT64", 2)]
    )
    world.cloud.clock.advance(86_400)
    sql = "WITH named AS (SELECT run, CURRENT_DATE() AS today FROM forms) SELECT *, ? + 1 AS n FROM named"
    (row,) = client.query_and_wait(sql, job_config=config)
    today = datetime.fromtimestamp(world.cloud.clock.now(), UTC).date()
    assert row.values() == ("r1", today, 3)
    dry = client.query("SELECT run FROM facts.forms", job_config=QueryJobConfig(dry_run=True))
    assert dry.total_bytes_processed == 0
    geography = QueryJobConfig(query_parameters=[ScalarQueryParameter("p", "GEOGRAPHY", "x")])
    with pytest.raises(MethodNotImplemented, match="GEOGRAPHY"):
        client.query_and_wait("SELECT @p", job_config=geography)


def test_a_job_is_its_makers(world: World, client: bigquery.Client) -> None:
    """A job id is taken once, and a stranger does not read another's results."""
    job = client.query("SELECT 1 AS one", job_id="mine")
    assert next(iter(job.result())).one == 1
    assert client.get_job("mine").state == "DONE"
    with pytest.raises(Conflict):
        client.query("SELECT 1", job_id="mine", retry=None, job_retry=None)
    with pytest.raises(Forbidden, match=r"jobs\.get"):
        world.bigquery("stranger").get_job("mine")
    path = f"{world.cloud.endpoint}/bigquery/v2/projects/demo-project"
    bad = {
        "jobReference": {"jobId": "bad"},
        "configuration": {"query": {"query": "?", "useLegacySql": False}},
    }
    made = requests.post(f"{path}/jobs", json=bad, timeout=5).json()
    assert made["status"]["errorResult"]["reason"] == "invalidQuery"
    assert requests.get(f"{path}/queries/bad", timeout=5).status_code == 400


def test_rows_in_pages(client: bigquery.Client) -> None:
    """A table is read in pages, in the order in which its rows came."""
    name = make(client, "paged", *({"run": f"r{n}", "n": float(n)} for n in range(5)))
    assert [row.n for row in client.list_rows(name, page_size=2)] == [0, 1, 2, 3, 4]


def test_a_dataset_is_changed(client: bigquery.Client) -> None:
    """A patch changes what it names; null removes it."""
    dataset = client.create_dataset("changing")
    dataset.description, dataset.labels = "first", {"a": "1"}
    changed = client.update_dataset(dataset, ["description", "labels"])
    changed.description = None
    client.update_dataset(changed, ["description"])
    read = client.get_dataset("changing")
    assert (read.description, read.labels) == (None, {"a": "1"})
    with pytest.raises(PreconditionFailed):
        client.update_dataset(dataset, ["description"])  # its etag is old


def test_data_manipulation(client: bigquery.Client) -> None:
    """MERGE, UPDATE and DELETE change rows and tell how many."""
    name = make(client, "changed", {"run": "r1", "n": 1})
    merge = (
        f"MERGE {name} t USING (SELECT @run AS run) s ON t.run = s.run "  # noqa: S608
        "WHEN MATCHED THEN UPDATE SET n = 2 WHEN NOT MATCHED THEN INSERT (run, n) VALUES (s.run, 9)"
    )
    for run in ("r1", "r2"):
        config = QueryJobConfig(query_parameters=[ScalarQueryParameter("run", "STRING", run)])
        job = client.query(merge, job_config=config)
        job.result()
        assert job.num_dml_affected_rows == 1
    assert sorted((row.run, row.n) for row in client.list_rows(name)) == [("r1", 2), ("r2", 9)]
    client.query_and_wait(f"DELETE FROM {name} WHERE n = 9")  # noqa: S608
    assert client.get_table(name).num_rows == 1


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEKT 1", BadRequest),
        ("SELECT missing FROM facts.refused", BadRequest),
        ("SELECT * FROM facts.missing", NotFound),
        ("SELECT * FROM unqualified", BadRequest),
        ("SELECT * FROM `other-project.facts.refused`", NotFound),
        ("SELECT * FROM facts.INFORMATION_SCHEMA.TABLES", MethodNotImplemented),
        ("SELECT * FROM read_csv('/etc/passwd')", GoogleAPICallError),
        ("DROP TABLE facts.refused", MethodNotImplemented),
        ("SELECT 1; SELECT 2", MethodNotImplemented),
        ("ATTACH 'elsewhere'", GoogleAPICallError),
    ],
)
def test_refused_statements(client: bigquery.Client, sql: str, error: type[Exception]) -> None:
    """Bad SQL, other places and what is not imitated are errors by either way of asking."""
    client.create_table(bigquery.Table("demo-project.facts.refused", SCHEMA), exists_ok=True)
    with pytest.raises(error):
        client.query_and_wait(sql, retry=None, job_retry=None)
    with pytest.raises(error):
        client.query(sql, retry=None, job_retry=None).result(retry=None, job_retry=None)


def test_permissions(world: World, client: bigquery.Client) -> None:
    """Writers write, readers read, and a query needs both a job and the table."""
    name = make(client, "guarded", ROW)
    resource = "projects/demo-project/datasets/facts/tables/guarded"
    world.grant(resource, "roles/bigquery.dataViewer", world.member("reader"))
    world.grant("projects/demo-project", "roles/bigquery.jobUser", world.member("reader"))
    reader = world.bigquery("reader")
    assert len(list(reader.query_and_wait(f"SELECT run FROM {name}"))) == 1  # noqa: S608
    with pytest.raises(Forbidden, match="updateData"):
        reader.insert_rows_json(name, [{"run": "r2"}])
    other = make(client, "guarded_too", ROW)
    with pytest.raises(Forbidden, match="getData"):
        reader.query_and_wait(f"SELECT run FROM {other}")  # noqa: S608
    with pytest.raises(Forbidden, match=r"jobs\.create"):
        world.bigquery("stranger").query_and_wait("SELECT 1")


def test_access_entries_grant(world: World) -> None:
    """A dataset's access list is its policy."""
    email = f"writer@{world.cloud.project}.iam.gserviceaccount.com"
    dataset = bigquery.Dataset("demo-project.shared")
    dataset.access_entries = [bigquery.AccessEntry("WRITER", "userByEmail", email)]
    world.bigquery().create_dataset(dataset)
    world.bigquery().create_table(bigquery.Table("demo-project.shared.t", SCHEMA))
    assert world.bigquery("writer").insert_rows_json("shared.t", [{"run": "r1"}]) == []


def test_default_key_needs_the_agents_grant(world: World) -> None:
    """A dataset's key must be granted to BigQuery's agent; tables inherit it."""
    parent = "projects/demo-project/locations/us-central1"
    ring = world.kms().create_key_ring(parent=parent, key_ring_id="tables", key_ring={}).name
    body = {"purpose": "ENCRYPT_DECRYPT"}
    key = world.kms().create_crypto_key(parent=ring, crypto_key_id="k", crypto_key=body).name
    dataset = bigquery.Dataset("demo-project.sealed")
    dataset.location = "us-central1"
    dataset.default_encryption_configuration = bigquery.EncryptionConfiguration(key)
    with pytest.raises(Forbidden, match="bigquery-encryption"):
        world.bigquery().create_dataset(dataset)
    agent = "serviceAccount:bq-100000000001@bigquery-encryption.iam.gserviceaccount.com"
    world.grant(key, "roles/cloudkms.cryptoKeyEncrypterDecrypter", agent)
    world.bigquery().create_dataset(dataset)
    table = world.bigquery().create_table(bigquery.Table("demo-project.sealed.t", SCHEMA))
    assert table.encryption_configuration.kms_key_name == key


def test_deleting(client: bigquery.Client) -> None:
    """A dataset in use stays unless its contents go with it; a new one of the same name is empty."""
    client.create_dataset("leaving")
    client.create_table(bigquery.Table("demo-project.leaving.t", SCHEMA))
    with pytest.raises(BadRequest, match="in use"):
        client.delete_dataset("leaving")
    client.delete_dataset("leaving", delete_contents=True)
    client.create_dataset("leaving")
    assert list(client.list_tables("leaving")) == []


def test_rows_survive_a_restart(restarted: Callable[[], World]) -> None:
    """What was inserted is there after a restart."""
    world = restarted()
    world.bigquery().create_dataset("durable")
    world.bigquery().create_table(bigquery.Table("demo-project.durable.t", SCHEMA))
    world.bigquery().insert_rows_json("durable.t", [ROW])
    world = restarted()
    assert [row.run for row in world.bigquery().query_and_wait("SELECT run FROM durable.t")] == ["r1"]
