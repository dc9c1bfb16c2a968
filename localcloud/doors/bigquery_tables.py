"""Tables: made, read, listed, deleted. Schema, partitioning and clustering are kept; only the
schema acts.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Answer, Call, door
from localcloud.doors.bigquery_datasets import (
    TABLE,
    check_encryption,
    dataset_resource,
    milliseconds,
    the_dataset,
)
from localcloud.doors.bigquery_engine import engine, quoted
from localcloud.doors.bigquery_types import checked_fields, duck_column
from localcloud.doors.errors import ApiError, invalid
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory_source

Json = dict[str, Any]

_KEPT = (
    "clustering",
    "description",
    "encryptionConfiguration",
    "expirationTime",
    "friendlyName",
    "labels",
    "requirePartitionFilter",
    "timePartitioning",
)
_REFUSED = ("view", "materializedView", "externalDataConfiguration", "rangePartitioning")


def table_resource(cloud: Cloud, call: Call) -> str:
    """The name that IAM knows the table by."""
    return f"{dataset_resource(cloud, call)}/tables/{call.params['tableId']}"


def the_table(cloud: Cloud, dataset: str, table: str) -> Json:
    """The table, or 404."""
    the_dataset(cloud, dataset)
    found = cloud.store.get(TABLE, f"{dataset}.{table}")
    if found is None:
        raise ApiError(404, f"Not found: Table {cloud.project}:{dataset}.{table}")
    return found


@door("bigquery.tables.insert", "bigquery.tables.create", on=dataset_resource)
def insert(cloud: Cloud, call: Call) -> Json:
    """Make a table."""
    body, dataset = call.body, call.params["datasetId"]
    parent = the_dataset(cloud, dataset)
    name = str(body.get("tableReference", {}).get("tableId", ""))
    if not re.fullmatch(r"[\w-]{1,1024}", name):
        raise invalid(f'Invalid table ID "{name}".')
    for field in _REFUSED:
        if body.get(field):
            raise ApiError(501, f"{field}: the stand-in does not imitate it")
    fields = checked_fields(body.get("schema", {}).get("fields", []))
    if not fields:
        raise ApiError(501, "schema: the stand-in only imitates tables with a schema")
    _check_columns(body, {field["name"]: field["type"] for field in fields})
    key = f"{dataset}.{name}"
    table: Json = {
        "kind": "bigquery#table",
        "id": f"{cloud.project}:{key}",
        "selfLink": f"{parent['selfLink']}/tables/{name}",
        "tableReference": {"projectId": cloud.project, "datasetId": dataset, "tableId": name},
        "schema": {"fields": fields},
        "location": parent["location"],
        "type": "TABLE",
        "creationTime": milliseconds(cloud),
        "lastModifiedTime": milliseconds(cloud),
        "etag": f"t{cloud.store.next_number('bigquery.etag')}",
        **{field: body[field] for field in _KEPT if field in body},
    }
    if "defaultEncryptionConfiguration" in parent:
        table.setdefault("encryptionConfiguration", parent["defaultEncryptionConfiguration"])
    check_encryption(cloud, table.get("encryptionConfiguration"), parent["location"])
    if not cloud.store.create(TABLE, key, table):
        raise ApiError(409, f"Already Exists: Table {cloud.project}:{key}", reason="duplicate")
    columns = ", ".join(f"{quoted(field['name'])} {duck_column(field)}" for field in fields)
    engine(cloud).run(f"CREATE OR REPLACE TABLE {quoted(dataset, name)} ({columns})")
    return table


@door("bigquery.tables.get", "bigquery.tables.get", on=table_resource)
def get(cloud: Cloud, call: Call) -> Json:
    """One table, with its number of rows."""
    dataset, name = call.params["datasetId"], call.params["tableId"]
    table = the_table(cloud, dataset, name)
    count = engine(cloud).run(f"SELECT count(*) FROM {quoted(dataset, name)}")[0][0]  # noqa: S608
    return {**table, "numRows": str(count)}


@door("bigquery.tables.list", "bigquery.tables.list", on=dataset_resource)
def list_tables(cloud: Cloud, call: Call) -> Json:
    """The tables of a dataset."""
    dataset = call.params["datasetId"]
    the_dataset(cloud, dataset)
    fields = (
        "kind",
        "id",
        "tableReference",
        "type",
        "labels",
        "timePartitioning",
        "clustering",
        "creationTime",
    )
    rows = [
        {field: table[field] for field in fields if field in table}
        for _, table in cloud.store.documents(TABLE, f"{dataset}.")
    ]
    return {"kind": "bigquery#tableList", "tables": rows, "totalItems": len(rows)}


@door("bigquery.tables.delete", "bigquery.tables.delete", on=table_resource)
def delete(cloud: Cloud, call: Call) -> Answer:
    """Delete a table and its rows."""
    dataset, name = call.params["datasetId"], call.params["tableId"]
    the_table(cloud, dataset, name)
    cloud.store.delete(TABLE, f"{dataset}.{name}")
    engine(cloud).run(f"DROP TABLE IF EXISTS {quoted(dataset, name)}")
    return Answer(204)


def _check_columns(body: Json, types: dict[str, str]) -> None:
    column = body.get("timePartitioning", {}).get("field")
    if column is not None and types.get(column) not in ("TIMESTAMP", "DATE"):
        raise invalid(f"timePartitioning.field: {column!r} must be a TIMESTAMP or DATE column")
    clustering = body.get("clustering", {}).get("fields", [])
    for name in clustering:
        if name not in types:
            raise invalid(f"clustering.fields: no such field: {name}")
    if len(clustering) > 4:
        raise invalid(f"clustering.fields: got {len(clustering)}, expected at most 4")


def _inventory(cloud: Cloud) -> list[Json]:
    return [
        {
            "name": "projects/{projectId}/datasets/{datasetId}/tables/{tableId}".format(
                **table["tableReference"]
            ),
            "labels": table.get("labels", {}),
            "bills": False,
            "created": cloud.clock.timestamp(int(table["creationTime"]) / 1000),
        }
        for _, table in cloud.store.documents(TABLE)
    ]


inventory_source(TABLE, _inventory)
