"""The console: one read-only page of what the stand-in holds, for a person with a browser.

- It shows; it changes nothing, loads nothing from elsewhere and runs no script.
- Everything is the stand-in's own view: workflow executions with what they were given and what they returned,
  live resources with those that bill first, the last API calls. It knows nothing of what was deployed here.
- Whatever came from outside is escaped.
"""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

from localcloud.doors import Answer, Json
from localcloud.doors.executions_run import EXECUTION, STEP
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory

SHOWN_EXECUTIONS = 30
SHOWN_CALLS = 60
_LONGEST = 300
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


def console(cloud: Cloud) -> Answer:
    """The page as it stands now."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    resources = inventory(cloud)
    quiet: dict[str, list[Json]] = {}
    for one in resources:
        if not one["bills"]:
            quiet.setdefault(str(one["kind"]), []).append(one)
    page = environment.get_template("console.html.j2").render(
        project=cloud.project,
        endpoint=cloud.endpoint,
        now=cloud.clock.timestamp(),
        frozen=cloud.clock.frozen,
        executions=executions(cloud),
        bills=[one for one in resources if one["bills"]],
        quiet=quiet,
        calls=cloud.calls.report()[: -SHOWN_CALLS - 1 : -1],
    )
    return Answer(headers=_HEADERS, content=page.encode())


def executions(cloud: Cloud) -> list[Json]:
    """The newest executions: workflow, what it was given, state, step or end, and what came of it."""
    found = [body for _, body in cloud.store.documents(EXECUTION, "projects/")]
    found.sort(key=lambda body: str(body["createTime"]), reverse=True)
    return [_execution(cloud, body) for body in found[:SHOWN_EXECUTIONS]]


def _execution(cloud: Cloud, body: Json) -> Json:
    parts = str(body["name"]).split("/")
    came = _told(body["error"].get("payload", "")) if "error" in body else body.get("result", "")
    return {
        "workflow": parts[parts.index("workflows") + 1],
        "id": parts[-1],
        "given": _pairs(body.get("argument", "")),
        "state": body["state"],
        "started": body["startTime"],
        "ended": body.get("endTime", ""),
        "step": "" if body.get("endTime") else _step(cloud, str(body["name"])),
        "came": _pairs(came),
    }


def _step(cloud: Cloud, name: str) -> str:
    """The step that an execution entered last."""
    rows = [body for _, body in cloud.store.documents(STEP, name + "/stepEntries/")]
    newest = max(rows, key=lambda body: int(body["entryId"]), default=None)
    return str(newest.get("step", "")) if newest else ""


def _told(payload: str) -> str:
    """What a service that was called said of its error, where the workflow's error holds it."""
    try:
        return json.dumps(json.loads(payload)["body"]["error"])
    except (ValueError, KeyError, TypeError):
        return payload


def _pairs(text: str) -> list[tuple[str, str]]:
    """The plain members of a JSON object; anything else as one text without a name."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    if not isinstance(found, dict):
        return [("", str(found)[:_LONGEST])] if found else []
    plain = {key: value for key, value in found.items() if isinstance(value, str | int | float)}
    return [(str(key), str(value)[:_LONGEST]) for key, value in plain.items()]
