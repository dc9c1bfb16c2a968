"""Faults planted in the good requests: for each method the request with one thing wrong, and the word by
which it must be refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.doors.discovery import document, methods
from localcloud.doors.required import required
from tests.localcloud.doors.good import GOOD
from tests.localcloud.doors.good_request import Good

Json = dict[str, Any]


@dataclass(frozen=True)
class Planted:
    """`extra` is added to the query, `body` sent instead; the answer must be 400 and contain `named`."""

    good: Good
    kind: str
    named: str
    extra: str = ""
    body: Any = None

    def __str__(self) -> str:
        return f"{self.good.method}: {self.kind} {self.named}"


def planted() -> list[Planted]:
    """All, one good request of each method."""
    first = {good.method: good for good in reversed(GOOD)}
    return [fault for good in first.values() for fault in _in(good)]


def _in(good: Good) -> Iterator[Planted]:
    method = next(methods(good.method))
    yield Planted(good, "unknown parameter", "colour", extra="colour=1")
    yield Planted(good, "bad enum", "alt", extra="alt=rubbish")
    yield Planted(good, "wrong type", "prettyPrint", extra="prettyPrint=perhaps")
    for name, spec in method.parameters.items():
        if spec.get("location") == "query" and spec.get("required"):
            query = {key: value for key, value in good.query.items() if key != name}
            yield Planted(Good(good.method, good.body, query), "missing parameter", name)
        elif spec.get("location") == "query" and spec.get("type") in ("integer", "boolean"):
            yield Planted(good, "wrong type", name, extra=f"{name}=many")
    if method.request and good.content is None:
        yield from _in_body(good, method.api, method.request, method.http == "PATCH")


def _in_body(good: Good, api: str, schema: str, partial: bool) -> Iterator[Planted]:
    body = good.body or {}
    yield Planted(good, "unknown field", "colour", body={**body, "colour": 1})
    yield Planted(good, "wrong type", "object", body=[])
    properties = document(api)["schemas"][schema].get("properties", {})
    for field, spec in properties.items():
        if "enum" in spec:
            yield Planted(good, "bad enum", field, body={**body, field: "NO_SUCH_WORD"})
            yield Planted(good, "bad enum", field, body={**body, field: 4096})
        elif spec.get("type") != "any":
            yield Planted(good, "wrong type", field, body={**body, field: _wrong(spec)})
        inner = document(api)["schemas"].get(spec.get("$ref", ""), {})
        if inner.get("type") == "object" and isinstance(body.get(field, {}), dict):
            deep = {**body.get(field, {}), "colour": 1}
            yield Planted(good, "unknown field", f"at '{field}'", body={**body, field: deep})
    for field in () if partial else required(api, schema, good.method):
        left = {key: value for key, value in body.items() if key != field}
        yield Planted(good, "missing field", field, body=left)


def _wrong(spec: Json) -> Any:
    return {"array": {}, "boolean": "perhaps", "integer": "many", "number": "much"}.get(
        spec.get("type", ""), []
    )
