"""Compute's list filters: `labels.KEY=VALUE`, `name=VALUE`, `status!=VALUE`, `name eq REGEX`.

Terms are joined by AND or space. One may stand in parentheses, a value in quotes; `:*` asks whether the field
is there. Anything else is refused, not ignored: a filter that matches too much would delete too much.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Call, Json, shown
from localcloud.doors.compute_names import last, link
from localcloud.doors.errors import invalid

_TERM = re.compile(
    r"""\s*\(?\s*(?P<field>[A-Za-z][\w.-]*)\s*(?P<op>!=|=|:|\beq\b|\bne\b)\s*"""
    r"""(?P<value>"[^"]*"|'[^']*'|[^\s()]+)\s*\)?\s*(?:AND\b)?"""
)
LARGEST = 500


def listed(call: Call, scope: str, collection: str, rows: list[tuple[str, Json]]) -> Json:
    """One page of the rows that the call's filter wants."""
    terms = parse(call.params.get("filter", ""))
    wanted = [(name, body) for name, body in rows if all(_holds(term, body) for term in terms)]
    after = call.params.get("pageToken", "")
    left = [(name, body) for name, body in wanted if name > after]
    size = min(call.params.get("maxResults") or LARGEST, LARGEST)
    items = [shown(body) for _, body in left[:size]]
    answer: Json = {"kind": f"compute#{collection}List", "id": scope, "selfLink": link(scope)}
    if items:
        answer["items"] = items
    if len(left) > size:
        answer["nextPageToken"] = left[size - 1][0]
    return answer


def by_zone(call: Call, collection: str, field: str, rows: list[tuple[str, Json]], place: str) -> Json:
    """The same over all zones: an aggregated list, whose items are grouped by zone under `field`."""
    page = listed(call, place, collection, rows)
    items: dict[str, Any] = {}
    for each in page.get("items", []):
        items.setdefault(f"zones/{last(each['zone'])}", {field: []})[field].append(each)
    return {**page, "kind": f"compute#{collection}AggregatedList", "items": items}


def parse(expression: str) -> list[re.Match[str]]:
    """The terms of a filter. Raises 400 for what is not understood."""
    terms: list[re.Match[str]] = []
    end = 0
    while expression[end:].strip():
        term = _TERM.match(expression, end)
        if term is None:
            why = "Invalid list filter expression."
            raise invalid(f"Invalid value for field 'filter': '{expression}'. {why}")
        terms.append(term)
        end = term.end()
    return terms


def _holds(term: re.Match[str], body: Json) -> bool:
    value, operation = term["value"].strip("\"'"), term["op"]
    actual = _field(term["field"], body)
    if operation == ":" and value == "*":
        return actual is not None
    text = "" if actual is None else str(actual).lower() if isinstance(actual, bool) else str(actual)
    if operation in ("eq", "ne"):
        equal = re.fullmatch(value, text) is not None
    elif operation == ":":
        equal = value in text
    elif "*" in value:
        equal = re.fullmatch(".*".join(map(re.escape, value.split("*"))), text) is not None
    else:
        equal = text == value
    return not equal if operation in ("!=", "ne") else equal


def _field(path: str, body: Json) -> Any:
    value: Any = body
    room, _, key = path.partition(".")
    if room == "labels":
        return body.get("labels", {}).get(key)
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
