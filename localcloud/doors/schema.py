"""Checks of parameters and bodies against a discovery document: unknown field, wrong type, bad enum,
missing parameter.

Google's clients send enums as integers over REST where the API is defined by protobuf; those are turned
into their names through the clients' own descriptors, so that doors only ever see names.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from localcloud.doors.discovery import OPEN_TO_ALL, SENT_BY_CLIENTS, Method, document
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.formats import MEANINGS, scalar, whole
from localcloud.doors.required import required

_REMOVES_BY_NULL = ("bigquery", "storage")
Spec = dict[str, Any]
_TYPES = {
    "cloudfunctions": "google.cloud.functions_v2.types",
    "cloudkms": "google.cloud.kms_v1.types",
    "pubsub": "google.pubsub_v1.types",
    "workflows": "google.cloud.workflows_v1.types",
}
_SHARED_TYPES = "google.iam.v1.policy_pb2"


def check_parameters(method: Method, path: dict[str, str], query: list[tuple[str, str]]) -> dict[str, Any]:
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
    kind, form = spec.get("type"), spec.get("format")
    if kind == "integer" or form in ("int64", "uint64"):
        try:
            number = whole(form or "int32", text)
        except ValueError as error:
            raise invalid(f"Invalid value at '{key}' ({form or kind}), \"{text}\"") from error
        return number if kind == "integer" else text
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise invalid(f"Invalid value at '{key}' (TYPE_BOOL), \"{text}\"")
        return text.lower() == "true"
    if "enum" in spec and text not in spec["enum"]:
        if not text.isascii() or not text.isdigit() or int(text) >= len(spec["enum"]):
            raise invalid(f"Invalid value at '{key}' (TYPE_ENUM), \"{text}\"")
        return str(
            spec["enum"][int(text)]
        )  # clients over REST send numbers; the documents list them in order
    return text


def check_body(api: str, schema: str, body: Any, *, method: str = "", patch: bool = False) -> Any:
    """The body with enum numbers turned into names; what the schema does not know, or what `method` requires
    and does not get, is refused by its path.

    A field that is null counts as absent; but in a patch of the older APIs it stays, because it removes the
    field. Nothing is required of a patch.
    """
    return _Check(api, method, patch).message(schema, body, "")


@dataclass(frozen=True)
class _Check:
    api: str
    method: str
    patch: bool

    @property
    def _nulls(self) -> bool:
        return self.patch and self.api in _REMOVES_BY_NULL

    def value(self, spec: Spec, value: Any, at: str, owner: str, field: str) -> Any:
        """`value` as `spec` wants it; `owner.field` is where the schema says so, `at` where it came."""
        if value is None:
            return None
        if "$ref" in spec:
            return self.message(spec["$ref"], value, at)
        kind = spec.get("type", "any")
        if kind == "array":
            return self._list(spec["items"], value, at, owner, field)
        if kind == "object":
            return self._object(spec, value, at, owner)
        if "enum" in spec:
            return self._enum(spec, value, at, owner, field)
        try:
            return scalar(kind, spec.get("format"), value)
        except ValueError as error:
            raise _wrong(at, str(spec.get("format", kind)), value) from error

    def message(self, schema: str, value: Any, at: str) -> Any:
        """`value` as the message `schema`."""
        spec = document(self.api)["schemas"][schema]
        if spec.get("type") == "any":
            return value
        result = self._object(spec, value, at, schema)
        if not self.patch:
            for key in required(self.api, schema, self.method):
                if result.get(key) in (None, ""):
                    where = f"{at}.{key}" if at else key
                    raise ApiError(400, f"Required field '{where}' not specified", reason="required")
        return result

    def _list(self, items: Spec, value: Any, at: str, owner: str, field: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(at, "array", value)
        if None in value:
            raise _wrong(f"{at}[{value.index(None)}]", "a value", None)
        return [self.value(items, one, f"{at}[{i}]", owner, field) for i, one in enumerate(value)]

    def _object(self, spec: Spec, value: Any, at: str, owner: str) -> dict[str, Any]:
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
            if item is not None or self._nulls or key not in properties:
                result[key] = self.value(inner, item, where, owner, key)
        return result

    def _enum(self, spec: Spec, value: Any, at: str, owner: str, field: str) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            name = _enum_names(self.api, owner, field).get(value)
            if name is not None:
                return name
        if isinstance(value, str) and value in spec["enum"]:
            return value
        raise invalid(f"Invalid value at '{at}' (TYPE_ENUM), \"{value}\"; expected one of {spec['enum']}")


@cache
def _enum_names(api: str, message: str, field: str) -> dict[int, str]:
    descriptor = _descriptor(api, message)
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", field).lower()
    found = descriptor.fields_by_name.get(snake) if descriptor is not None else None
    if found is None or found.enum_type is None:
        return {}
    return {number: value.name for number, value in found.enum_type.values_by_number.items()}


def _descriptor(api: str, message: str) -> Any:
    """A message as the API's client knows it, or as all of them share it; None if nobody here speaks so."""
    for name in (_TYPES.get(api), _SHARED_TYPES):
        try:
            kind = getattr(importlib.import_module(name), message, None) if name else None
        except ModuleNotFoundError:
            continue
        if kind is not None:
            return (kind.pb(kind()) if hasattr(kind, "pb") else kind).DESCRIPTOR
    return None


def _wrong(at: str, expected: str, value: Any) -> Exception:
    got, wanted = type(value).__name__, MEANINGS.get(expected, expected)
    return invalid(f"Invalid value at '{at}' ({wanted}), got {got}: {str(value)[:80]!r}")
