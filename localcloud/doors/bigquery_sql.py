"""BigQuery's SQL on DuckDB: sqlglot translates, this module decides what a statement may touch.

Rules
- One statement: a query, or INSERT, UPDATE, DELETE, MERGE. DDL, scripts and INFORMATION_SCHEMA are
  refused.
- Tables are this project's, qualified by a dataset or by the default one; each needs its
  permission.
- Parameters become typed literals; a missing one is 400. CURRENT_TIMESTAMP and CURRENT_DATE read
  the stand-in's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.doors.bigquery_engine import engine
from localcloud.doors.bigquery_tables import the_table
from localcloud.doors.bigquery_types import field_of, selected
from localcloud.doors.errors import ApiError
from localcloud.world.cloud import Cloud

Json = dict[str, Any]
Permit = Callable[[str, str], None]  # (permission, resource); raises ApiError


@dataclass(frozen=True)
class Result:
    """What a statement gave: rows as they are kept (TIMESTAMP in microseconds), or how many it changed."""

    statement: str
    fields: list[Json]
    rows: list[list[Any]]
    changed: int | None = None


def execute(cloud: Cloud, request: Json, permit: Permit, *, dry_run: bool = False) -> Result:
    """Run one statement. Raises ApiError: 400 invalidQuery, 403, 404, 501."""
    import sqlglot
    from sqlglot import exp

    if request.get("useLegacySql") is not False:
        raise ApiError(501, "useLegacySql: the stand-in only knows standard SQL (useLegacySql: false)")
    try:
        parsed = sqlglot.parse(request.get("query") or "", read="bigquery")
    except sqlglot.errors.SqlglotError as error:
        raise _bad(f"Syntax error: {str(error).partition(chr(10))[0]}") from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ApiError(501, "query: the stand-in takes exactly one statement")
    tree = parsed[0]
    if isinstance(tree, exp.Condition | exp.Alias):  # sqlglot takes bare expressions, BigQuery does not
        raise _bad(f"Syntax error: {request['query'][:80]!r} is no statement")
    changes = isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge)
    if not changes and not isinstance(tree, exp.Query):
        raise ApiError(501, f"{tree.key.upper()}: the stand-in knows queries and DML only")
    _bind_tables(cloud, tree, request.get("defaultDataset"), permit, changes=changes)
    tree = _bind_values(cloud, tree, request)
    sql = tree.sql(dialect="duckdb")
    if dry_run:
        engine(cloud).run(f"EXPLAIN {sql}")
        return Result(tree.key.upper(), [], [])
    if changes:
        changed = engine(cloud).run(sql)
        return Result(tree.key.upper(), [], [], int(changed[0][0]) if changed else 0)
    return _query(cloud, sql, tree.named_selects)


def _query(cloud: Cloud, sql: str, names: list[str]) -> Result:
    described = engine(cloud).run(f"DESCRIBE {sql}")
    fields = []
    for index, (name, duck, *_) in enumerate(described):
        given = names[index] if len(names) == len(described) else name
        fields.append(field_of(given if given and given != "*" else f"f{index}_", duck))
    columns = [f"c{index}" for index in range(len(fields))]
    wanted = ", ".join(selected(column, field) for column, field in zip(columns, fields, strict=True))
    rows = engine(cloud).run(f"SELECT {wanted} FROM ({sql}) AS q({', '.join(columns)})")  # noqa: S608
    return Result("SELECT", fields, [list(row) for row in rows])


def _bind_tables(cloud: Cloud, tree: Any, default: Json | None, permit: Permit, *, changes: bool) -> None:
    from sqlglot import exp

    shared = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    target = tree.this.find(exp.Table) if changes else None
    for table in list(tree.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier):
            raise ApiError(501, f"{table.sql(dialect='bigquery')}: table functions are not imitated")
        if not table.db and table.name in shared:
            continue
        dataset = table.db or (default or {}).get("datasetId")
        if table.catalog not in ("", cloud.project):
            raise ApiError(404, f"Not found: Project {table.catalog}")
        if not dataset:
            raise _bad(f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).')
        if dataset.upper() == "INFORMATION_SCHEMA" or table.name.upper().startswith("INFORMATION_SCHEMA"):
            raise ApiError(501, "INFORMATION_SCHEMA: the stand-in does not imitate it")
        verb = "updateData" if table is target else "getData"
        permit(f"bigquery.tables.{verb}", f"projects/{cloud.project}/datasets/{dataset}/tables/{table.name}")
        the_table(cloud, dataset, table.name)
        table.set("catalog", None)
        table.set("db", exp.to_identifier(dataset, quoted=True))
        table.this.set("quoted", True)


def _bind_values(cloud: Cloud, tree: Any, request: Json) -> Any:
    from sqlglot import exp

    given = request.get("queryParameters", [])
    named = {one["name"]: one for one in given if one.get("name")}
    positional = iter([one for one in given if not one.get("name")])
    now = datetime.fromtimestamp(cloud.clock.now(), UTC)

    def bind(node: Any) -> Any:
        if isinstance(node, exp.Parameter):
            if node.name not in named:
                raise _bad(f"Query parameter '{node.name}' not found")
            return _literal(named[node.name])
        if isinstance(node, exp.Placeholder):
            one = next(positional, None)
            if one is None:
                raise _bad("Number of positional parameters does not match the query")
            return _literal(one)
        if isinstance(node, exp.CurrentTimestamp):
            return exp.cast(exp.Literal.string(now.isoformat()), "TIMESTAMPTZ")
        if isinstance(node, exp.CurrentDate):
            return exp.cast(exp.Literal.string(now.date().isoformat()), "DATE")
        return node

    return tree.transform(bind)


def _literal(parameter: Json) -> Any:
    from sqlglot import exp

    kind, value = parameter["parameterType"], parameter.get("parameterValue", {})
    if kind["type"] == "ARRAY":
        element = kind["arrayType"]
        items = [
            _literal({"parameterType": element, "parameterValue": one})
            for one in value.get("arrayValues", [])
        ]
        whole = exp.DataType(this=exp.DataType.Type.ARRAY, expressions=[_type(element["type"])], nested=True)
        return exp.cast(exp.Array(expressions=items), whole)
    text = value.get("value")
    content = exp.Null() if text is None else exp.Literal.string(str(text))
    return exp.cast(content, _type(kind["type"]))


def _type(name: str) -> Any:
    from sqlglot import exp

    known = ("STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "DATE", "JSON")
    if name not in known:
        raise ApiError(501, f"query parameter of type {name}: the stand-in only knows {known}")
    return exp.DataType.build(name, dialect="bigquery")


def _bad(message: str) -> ApiError:
    return ApiError(400, message, reason="invalidQuery")
