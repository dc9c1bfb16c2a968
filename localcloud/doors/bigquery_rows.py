"""Rows: streamed in and read back.

Rules
- Every row is checked against the schema: unknown fields, missing REQUIRED ones and values that do
  not fit become `insertErrors`; unless `skipInvalidRows`, one bad row stops all of them.
- A row with an `insertId` that the same table got within the last minute is dropped, as BigQuery
  promises at best.
"""

from __future__ import annotations

from typing import Any

from localcloud.doors import Call, door
from localcloud.doors.bigquery_engine import engine, quoted
from localcloud.doors.bigquery_pages import page_of
from localcloud.doors.bigquery_tables import table_resource, the_table
from localcloud.doors.bigquery_types import answered, coerced, duck_column, selected
from localcloud.doors.errors import ApiError, invalid
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_SEEN = "bigquery.insert_id"  # name: dataset.table|insertId
_REMEMBERED_S = 60


@door("bigquery.tabledata.insertAll", "bigquery.tables.updateData", on=table_resource)
def insert_all(cloud: Cloud, call: Call) -> Json:
    """Stream rows in."""
    body, dataset, name = call.body, call.params["datasetId"], call.params["tableId"]
    fields = the_table(cloud, dataset, name)["schema"]["fields"]
    if body.get("templateSuffix"):
        raise ApiError(501, "templateSuffix: the stand-in does not imitate it")
    rows = body.get("rows", [])
    if not rows:
        raise invalid("No rows present in the request.")
    good: list[tuple[str | None, list[Any]]] = []
    errors: list[Json] = []
    for index, row in enumerate(rows):
        values, problems = _checked(fields, row.get("json") or {}, bool(body.get("ignoreUnknownValues")))
        if problems:
            errors.append({"index": index, "errors": problems})
        else:
            good.append((row.get("insertId"), values))
    if errors and not body.get("skipInvalidRows"):
        bad = {error["index"] for error in errors}
        stopped = {"reason": "stopped", "location": "", "debugInfo": "", "message": ""}
        errors += [{"index": i, "errors": [stopped]} for i in range(len(rows)) if i not in bad]
        good = []
    fresh = [values for insert_id, values in good if _is_new(cloud, f"{dataset}.{name}", insert_id)]
    if fresh:
        marks = ", ".join(f"CAST(? AS {duck_column(field)})" for field in fields)
        engine(cloud).fill(f"INSERT INTO {quoted(dataset, name)} VALUES ({marks})", fresh)  # noqa: S608
    answer: Json = {"kind": "bigquery#tableDataInsertAllResponse"}
    return {**answer, "insertErrors": errors} if errors else answer


@door("bigquery.tabledata.list", "bigquery.tables.getData", on=table_resource)
def list_rows(cloud: Cloud, call: Call) -> Json:
    """A page of rows in the order in which they came."""
    params, dataset, name = call.params, call.params["datasetId"], call.params["tableId"]
    fields = the_table(cloud, dataset, name)["schema"]["fields"]
    if params.get("selectedFields"):
        raise ApiError(501, "selectedFields: the stand-in does not imitate it")
    start, limit = page_of(params)
    table, run = quoted(dataset, name), engine(cloud).run
    columns = ", ".join(selected(quoted(field["name"]), field) for field in fields)
    rows = run(f"SELECT {columns} FROM {table} ORDER BY rowid LIMIT {limit} OFFSET {start}")  # noqa: S608
    total = run(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
    exact = bool(params.get("formatOptions.useInt64Timestamp"))
    answer: Json = {
        "kind": "bigquery#tableDataList",
        "totalRows": str(total),
        "rows": [answered(fields, list(row), microseconds=exact) for row in rows],
    }
    if start + len(rows) < total:
        answer["pageToken"] = str(start + len(rows))
    return answer


def _checked(fields: list[Json], row: Json, ignore_unknown: bool) -> tuple[list[Any], list[Json]]:
    problems: list[Json] = []
    known = {field["name"].lower() for field in fields}
    for key in row:
        if key.lower() not in known and not ignore_unknown:
            problems.append(_problem(key, f"no such field: {key}."))
    by_name = {key.lower(): value for key, value in row.items()}
    values: list[Any] = []
    for field in fields:
        try:
            values.append(coerced(field, by_name.get(field["name"].lower())))
        except ValueError as error:
            problems.append(_problem(field["name"], str(error)))
    return values, problems


def _problem(location: str, message: str) -> Json:
    return {"reason": "invalid", "location": location, "debugInfo": "", "message": message}


def _is_new(cloud: Cloud, table: str, insert_id: str | None) -> bool:
    if insert_id is None:
        return True
    key, now = f"{table}|{insert_id}", cloud.clock.now()
    seen = cloud.store.get(_SEEN, key)
    cloud.store.put(_SEEN, key, {"at": now if seen is None else seen["at"]})
    if seen is None or now - seen["at"] > _REMEMBERED_S:
        cloud.store.put(_SEEN, key, {"at": now})
        return True
    return False
