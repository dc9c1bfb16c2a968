"""Column types: what a schema may say, how a JSON value becomes a row's value, how a row's value is
answered.

Rules
- STRING, INTEGER, FLOAT, BOOLEAN, TIMESTAMP, DATE and JSON (with their standard SQL names), also
  REPEATED.
- An inserted value must fit its column: whole numbers for INTEGER, RFC 3339 or epoch seconds for
  TIMESTAMP.
- Answers are text in BigQuery's f/v form; TIMESTAMP as microseconds or as seconds, as the caller
  asks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from localcloud.doors.errors import ApiError, invalid

Json = dict[str, Any]

DUCK = {
    "STRING": "VARCHAR",
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "DATE": "DATE",
    "JSON": "JSON",
}
_LEGACY = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_FROM_DUCK = {
    **{duck: name for name, duck in DUCK.items()},
    "HUGEINT": "INTEGER",
    "INTEGER": "INTEGER",
    "SMALLINT": "INTEGER",
    "TINYINT": "INTEGER",
    "UBIGINT": "INTEGER",
    "FLOAT": "FLOAT",
    "NULL": "INTEGER",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_WHOLE = re.compile(r"[+-]?\d+")


def checked_fields(fields: list[Json]) -> list[Json]:
    """The fields of a table's schema with types by their legacy names. Raises ApiError naming the field."""
    result: list[Json] = []
    for field in fields:
        name, kind = field.get("name", ""), str(field.get("type", "")).upper()
        kind, mode = _LEGACY.get(kind, kind), str(field.get("mode") or "NULLABLE").upper()
        if not _NAME.fullmatch(name):
            raise invalid(f"Invalid field name {name!r}.")
        if kind not in DUCK:
            raise ApiError(501, f"{name}: type {kind!r}: the stand-in only knows {sorted(DUCK)}")
        if mode not in ("NULLABLE", "REQUIRED", "REPEATED"):
            raise invalid(f"Invalid value for mode: {mode} is not a valid value")
        if name.lower() in (one["name"].lower() for one in result):
            raise invalid(f"Duplicate field name: {name}")
        result.append({**field, "type": kind, "mode": mode})
    return result


def duck_column(field: Json) -> str:
    """The DuckDB type of a column."""
    return DUCK[field["type"]] + ("[]" if field["mode"] == "REPEATED" else "")


def field_of(name: str, duck: str) -> Json:
    """The schema field of a query result's column."""
    repeated = duck.endswith("[]")
    inner = duck.removesuffix("[]")
    kind = "FLOAT" if inner.startswith("DECIMAL") else _FROM_DUCK.get(inner)
    if kind is None:
        raise ApiError(501, f"column {name}: results of type {duck} are not imitated")
    return {"name": name, "type": kind, "mode": "REPEATED" if repeated else "NULLABLE"}


def selected(column: str, field: Json) -> str:
    """SQL that reads a column in the form in which results are kept."""
    if field["type"] == "TIMESTAMP":
        if field["mode"] == "REPEATED":
            return f"list_transform({column}, lambda x: epoch_us(x))"
        return f"epoch_us({column})"
    if field["type"] == "DATE":
        return f"CAST({column} AS VARCHAR{'[]' if field['mode'] == 'REPEATED' else ''})"
    if field["type"] == "FLOAT":
        return f"CAST({column} AS DOUBLE{'[]' if field['mode'] == 'REPEATED' else ''})"
    return column


def coerced(field: Json, value: Any) -> Any:
    """What goes into DuckDB for a JSON value. Raises ValueError with BigQuery's words."""
    if field["mode"] == "REPEATED":
        if value is None:
            return []
        if not isinstance(value, list):
            raise ValueError(f"Repeated field {field['name']} must be given a list.")
        return [_scalar(field, one) for one in value]
    if value is None:
        if field["mode"] == "REQUIRED":
            raise ValueError(f"Missing required field: {field['name']}.")
        return None
    return _scalar(field, value)


def _scalar(field: Json, value: Any) -> Any:
    kind = field["type"]
    if kind == "JSON":
        return value if isinstance(value, str) else json.dumps(value)
    try:
        if value is None or isinstance(value, dict | list):
            raise TypeError(value)
        return _READERS[kind](value)
    except (TypeError, ValueError, OverflowError, KeyError):
        raise ValueError(f"Cannot convert value to {kind.lower()} (bad value): {value}") from None


def _string(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _boolean(value: Any) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not _WHOLE.fullmatch(str(value)) or not -(2**63) <= int(value) < 2**63:
        raise ValueError(value)
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def _date(value: Any) -> str:
    return date.fromisoformat(value).isoformat()


def _timestamp(value: Any) -> str:
    if isinstance(value, bool):
        raise TypeError(value)
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", str(value)):
        return datetime.fromtimestamp(float(value), UTC).isoformat()
    moment = datetime.fromisoformat(value.removesuffix(" UTC"))
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()


_READERS: dict[str, Callable[[Any], Any]] = {
    "STRING": _string,
    "INTEGER": _integer,
    "FLOAT": _float,
    "BOOLEAN": _boolean,
    "TIMESTAMP": _timestamp,
    "DATE": _date,
}


def answered(fields: list[Json], row: list[Any], *, microseconds: bool) -> Json:
    """A kept row in f/v form."""
    cells: list[Json] = []
    for field, value in zip(fields, row, strict=True):
        if field["mode"] == "REPEATED":
            cells.append({"v": [{"v": _text(field, one, microseconds)} for one in value or []]})
        else:
            cells.append({"v": _text(field, value, microseconds)})
    return {"f": cells}


def _text(field: Json, value: Any, microseconds: bool) -> str | None:
    if value is None:
        return None
    if field["type"] == "BOOLEAN":
        return "true" if value else "false"
    if field["type"] == "TIMESTAMP":
        return str(value) if microseconds else repr(value / 1_000_000)
    if field["type"] == "FLOAT":
        if math.isfinite(value):
            return repr(float(value))
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return str(value)
