"""`sealtrain runs`: every run of the deployment with its upload and how far it is."""

from __future__ import annotations

import os
from pathlib import Path

from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli import objects, place, run_records
from cli.api import Api
from cli.output import emit, say, table
from cli.progress import Progress


def runs(as_json: bool) -> int:
    """List them, oldest first."""
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    rows = [_row(api, settings, run) for run in run_records.run_ids(api, settings)]
    rows.sort(key=lambda row: row["started"])
    if as_json:
        emit({"runs": rows})
        return 0
    if not rows:
        say("no runs yet; `sealtrain submit DATA.csv` starts one")
        return 0
    head = ("run", "started", "state", "attempt", "object", "followed_by")
    shown = tuple(word.replace("_", " ") for word in head)
    for line in table(shown, [[row[key] for key in head] for row in rows]):
        say(line)
    return 0


def _row(api: Api, settings: Settings, run: str) -> dict[str, str]:
    found = run_records.progress(api, settings, run)
    claim = objects.read_json(api, names.state_bucket(settings), names.claim(run)) or {}
    upload = claim.get("upload", {})
    times = [phase.time for phase in found.phases if phase.time]
    refused_at = str((found.refusal or {}).get("time", ""))
    return {
        "run": run,
        "started": min(times, default=refused_at),
        "state": state(found),
        "attempt": str(upload.get("attempt", "")),
        "object": str(upload.get("object", "")),
        "followed_by": found.followed_by,
    }


def state(progress: Progress) -> str:
    """One word for a run: its outcome, or the phase that it is waiting for."""
    if progress.refusal is not None:
        return "refused"
    if progress.outcome:
        return progress.outcome
    waiting = progress.waiting_for
    return f"running: {waiting.word}" if waiting else "running"
