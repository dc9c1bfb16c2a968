"""Checks of parameters and bodies against a discovery document: unknown field, wrong type, bad enum,
missing parameter.

Google's clients send enums as integers over REST where the API is defined by protobuf; those are turned
into their names through the clients' own descriptors, so that doors only ever see names.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import Any

from localcloud.doors.discovery import OPEN_TO_ALL, SENT_BY_CLIENTS, Method, document
from localcloud.doors.errors import invalid

_TYPES = {
    "cloudfunctions": "google.cloud.functions_v2.types",
    "cloudkms": "google.cloud.kms_v1.types",
    "pubsub": "google.pubsub_v1.types",
    "workflows": "google.cloud.workflows_v1.types",
}
_WHOLE = re.compile(r"-?\d+")


def check_parameters(
    method: Method, path: dict[str, str], query: list[tuple[str, str]]
) -> dict[str, Any]:
    """Typed parameters; unknown, malformed or missing ones are refused by name."""
    result: dict[str, Any] = {}
    for key, text in [*path.items(), *query]:
        spec = method.parameters.get(key)
        if spec is None:
            if key in OPEN_TO_ALL or (method.api, key) in SENT_BY_CLIENTS:
                continue
            problem = f'Unknown name "{key}": Cannot bind query parameter.'
            raise invalid(f"Invalid JSON payload received. {problem}")
        value = _parameter(key, spec, text)
        if spec.get("repeated"):
            result.setdefault(key, []).append(value)
        else:
            result[key] = value
    for key, spec in method.parameters.items():
        if spec.get("required") and key not in result:
            raise invalid(f"Required parameter: {key}")
    return result


def _parameter(key: str, spec: dict[str, Any], text: str) -> Any:
    kind = spec.get("type")
    if kind == "integer" or spec.get("format") in ("int64", "uint64"):
        if not _WHOLE.fullmatch(text):
            raise invalid(f"Invalid value at '{key}' ({spec.get('format', kind)}), \"{text}\"")
        return int(text) if kind == "integer" else text
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise invalid(f"Invalid value at '{key}' (TYPE_BOOL), \"{text}\"")
        return text.lower() == "true"
    if "enum" in spec and text not in spec["enum"] and not text.isdigit():
        raise invalid(f"Invalid value at '{key}' (TYPE_ENUM), \"{text}\"")
    return text


def check_body(api: str, schema: str, body: Any, *, nulls: bool = False) -> Any:
    """The body with enum numbers turned into names; what the schema does not know is refused by its path.

    A field that is null counts as absent, unless `nulls` keeps it (a patch removes by null).
    """
    if body is None:
        return {}
    return _value(api, {"$ref": schema}, body, "", schema, schema, nulls)


def _value(
    api: str, spec: dict[str, Any], value: Any, at: str, owner: str, field: str, nulls: bool
) -> Any:
    if value is None:
        return None
    if "$ref" in spec:
        return _object(api, document(api)["schemas"][spec["$ref"]], value, at, spec["$ref"], nulls)
    kind = spec.get("type", "any")
    if kind == "array":
        if not isinstance(value, list):
            raise _wrong(at, "array", value)
        if None in value:
            raise _wrong(f"{at}[{value.index(None)}]", "a value", None)
        items = enumerate(value)
        return [_value(api, spec["items"], v, f"{at}[{i}]", owner, field, nulls) for i, v in items]
    if kind == "object":
        return _object(api, spec, value, at, owner, nulls)
    if "enum" in spec:
        return _enum(api, spec, value, at, owner, field)
    if not _fits(kind, spec.get("format"), value):
        raise _wrong(at, spec.get("format", kind), value)
    return value


def _object(api: str, spec: dict[str, Any], value: Any, at: str, owner: str, nulls: bool) -> Any:
    if spec.get("type") == "any":
        return value
    if not isinstance(value, dict):
        raise _wrong(at, "object", value)
    properties = spec.get("properties", {})
    extra = spec.get("additionalProperties")
    result = {}
    for key, item in value.items():
        where = f"{at}.{key}" if at else key
        inner = properties.get(key, extra)
        if inner is None:
            problem = f"Unknown name \"{key}\" at '{at or owner}': Cannot find field."
            raise invalid(f"Invalid JSON payload received. {problem}")
        if item is not None or nulls or key not in properties:
            result[key] = _value(api, inner, item, where, owner, key, nulls)
    return result


def _enum(api: str, spec: dict[str, Any], value: Any, at: str, owner: str, field: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        name = _enum_names(api, owner, field).get(value)
        if name is not None:
            return name
    if isinstance(value, str) and value in spec["enum"]:
        return value
    raise invalid(f"Invalid value at '{at}' (TYPE_ENUM), \"{value}\"; expected one of {spec['enum']}")


@cache
def _enum_names(api: str, message: str, field: str) -> dict[int, str]:
    if api not in _TYPES:
        return {}
    try:
        module = importlib.import_module(_TYPES[api])
    except ModuleNotFoundError:
        return {}  # nobody here speaks through that client
    kind = getattr(module, message, None)
    if kind is None:
        return {}
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", field).lower()
    found = kind.pb(kind()).DESCRIPTOR.fields_by_name.get(snake)
    if found is None or found.enum_type is None:
        return {}
    return {number: value.name for number, value in found.enum_type.values_by_number.items()}


def _fits(kind: str, form: str | None, value: Any) -> bool:
    if kind == "any":
        return True
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "string" and form in ("int64", "uint64"):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (isinstance(value, str) and bool(_WHOLE.fullmatch(value)))
    return isinstance(value, str)


def _wrong(at: str, expected: str, value: Any) -> Exception:
    got = type(value).__name__
    return invalid(f"Invalid value at '{at}' ({expected}), got {got}: {str(value)[:80]!r}")
