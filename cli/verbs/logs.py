"""`sealtrain logs RUN`: what the functions logged about a run, oldest first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sealtrain.rules import names

from cli import place
from cli.api import Api
from cli.output import emit, plain, say

_PAGES = 20
# What every entry about a run has, or what is said already.
_SAID = frozenset({"run", "event", "function", "message", "execution", "severity", "stack"})


def logs(run: str, as_json: bool) -> int:
    """Show them."""
    names.checked_run_id(run)
    settings = place.find(os.environ, Path.cwd())
    entries = read(Api(settings), settings.project, run)
    if as_json:
        emit({"run": run, "entries": entries})
        return 0
    if not entries:
        say(f"no log entries about {run}; `sealtrain runs` lists the runs")
    for entry in entries:
        say(line(entry))
    return 0


def read(api: Api, project: str, run: str) -> list[dict[str, Any]]:
    """The entries whose payload names the run, as Logging keeps them."""
    body: dict[str, Any] = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'jsonPayload.run="{run}"',
        "orderBy": "timestamp asc",
        "pageSize": 1000,
    }
    entries: list[dict[str, Any]] = []
    for _ in range(_PAGES):
        page = api.call("POST", "logging", "/v2/entries:list", body=body, again=True)
        entries += page.get("entries", [])
        if not page.get("nextPageToken"):
            break
        body["pageToken"] = page["nextPageToken"]
    return entries


def line(entry: dict[str, Any]) -> str:
    """One entry as a line for people."""
    payload = entry.get("jsonPayload", {})
    event, message = str(payload.get("event", "")), str(payload.get("message", ""))
    told = [message] if message and message != event else _fields(payload)
    time = str(entry.get("timestamp", ""))[11:23]
    severity = str(entry.get("severity", "DEFAULT"))
    return plain(f"{time:<12} {severity:<8} {event:<22} {'  '.join(told)}".rstrip())


def _fields(payload: dict[str, Any]) -> list[str]:
    """What an entry tells besides its event, as `name=value`; times last, long names by their end."""
    found = {key: value for key, value in payload.items() if key not in _SAID and value not in ("", None)}
    took = found.pop("duration_ms", None)
    told = [f"{key}={str(value).rpartition('/')[2] or value}" for key, value in sorted(found.items())]
    return told if took is None else [*told, f"{took} ms"]
