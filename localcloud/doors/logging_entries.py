"""Log entries: written, listed, and handed to the sinks that want them.

Rules
- An entry has a log name of this project, a resource, an `insertId` (given or made) and a time
  (given or now).
- The same log name, time and `insertId` again is the same entry: it is kept and routed once.
- Lists are in order of time, then of `insertId`.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any

from localcloud.doors import Call, door, project
from localcloud.doors.errors import invalid, not_found
from localcloud.doors.logging_filter import compiled
from localcloud.doors.logging_sinks import route
from localcloud.world.cloud import Cloud
from localcloud.world.events import provides_logs

Json = dict[str, Any]

_ENTRY = "logging.entry"  # name: time|insertId|logName
_LOG_NAME = re.compile(r"projects/([^/]+)/logs/[A-Za-z0-9%._-]{1,511}")
_LARGEST_PAGE = 1000


@provides_logs
def keep(cloud: Cloud, entry: Json) -> None:
    """Complete, keep and route one entry. Raises ApiError if it is no entry."""
    found = _LOG_NAME.fullmatch(str(entry.get("logName", "")))
    if found is None:
        raise invalid(f"logName: got {entry.get('logName')!r}, expected projects/P/logs/ID (ID URL-encoded)")
    if found.group(1) not in (cloud.project, cloud.number):
        raise not_found(f"project {found.group(1)}")
    now = cloud.clock.timestamp()
    whole: Json = {
        "severity": "DEFAULT",
        **entry,
        "insertId": entry.get("insertId") or secrets.token_hex(8),
        "timestamp": _normal(entry.get("timestamp") or now),
        "receiveTimestamp": now,
        "resource": entry.get("resource") or {"type": "global", "labels": {"project_id": cloud.project}},
    }
    name = f"{whole['timestamp']}|{whole['insertId']}|{whole['logName']}"
    with cloud.store.transaction():
        if cloud.store.create(_ENTRY, name, whole):
            route(cloud, whole)


@door("logging.entries.write", "logging.logEntries.create", on=project)
def write(cloud: Cloud, call: Call) -> Json:
    """Write entries; what they leave out comes from the request."""
    body = call.body
    for entry in body.get("entries", []):
        whole = {
            **{field: body[field] for field in ("logName", "resource") if field in body},
            **entry,
            "labels": {**body.get("labels", {}), **entry.get("labels", {})},
        }
        if "resource" not in whole:
            raise invalid("resource: required, in the entry or in the request")
        if not body.get("dryRun"):
            keep(cloud, whole)
    return {}


@door("logging.entries.list", "logging.logEntries.list", on=project)
def list_entries(cloud: Cloud, call: Call) -> Json:
    """Entries that fit the filter."""
    body = call.body
    wanted = [f"projects/{one}" for one in (cloud.project, cloud.number)]
    for name in body.get("resourceNames", []):
        if name not in wanted:
            raise not_found(f"resource {name}")
    if not body.get("resourceNames"):
        raise invalid("resourceNames: required")
    order = body.get("orderBy") or "timestamp asc"
    if order not in ("timestamp", "timestamp asc", "timestamp desc"):
        raise invalid(f"orderBy: got {order!r}, expected timestamp asc or timestamp desc")
    fits = compiled(body.get("filter") or "")
    rows = [(name, entry) for name, entry in cloud.store.documents(_ENTRY) if fits(entry)]
    backward = order.endswith("desc")
    if backward:
        rows.reverse()
    after = body.get("pageToken")
    if after:
        rows = [(name, entry) for name, entry in rows if (name < after if backward else name > after)]
    size = min(body.get("pageSize") or 50, _LARGEST_PAGE)
    if size < 0:
        raise invalid(f"pageSize: got {size}, expected 0 or more")
    answer: Json = {"entries": [entry for _, entry in rows[:size]]}
    if len(rows) > size:
        answer["nextPageToken"] = rows[size - 1][0]
    return answer


def _normal(text: str) -> str:
    """The time in UTC with microseconds, so that text order is order in time."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
