"""`sealtrain status RUN`: how far a run is, what it has made, and what of that is gone."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from sealtrain.rules import names, proof
from sealtrain.rules.ledger import is_entry, parse_entry
from sealtrain.rules.settings import Settings

from cli import objects, place, run_records
from cli.api import Api
from cli.output import emit, plain, say, table
from cli.verbs.runs import state
from cli.verbs.submit import refusal_lines, told


def status(run: str, as_json: bool) -> int:
    """Show it."""
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    found = run_records.known_progress(api, settings, run)
    made = resources(api, settings, run)
    attempt, went_on_from = run_records.attempt_of(api, settings, run)
    if as_json:
        emit({**told(found), "attempt": attempt, "went_on_from": went_on_from or None, "resources": made})
        return 0
    say(f"run {run}: {plain(state(found))}" + (f" ({plain(found.reason)})" if found.reason else ""))
    if found.refusal is not None:
        for line in refusal_lines(found):
            say(line)
    for line in chain_lines(attempt, went_on_from, found.followed_by):
        say(line)
    for phase in sorted(found.phases, key=lambda phase: phase.time):
        if phase.time:
            say(f"  {_time(phase.time)}  {phase.word:<18} {phase.sentence}")
    if made:
        say("")
        shown = run_records.short_names([one["name"] for one in made])
        rows = [
            [one["kind"], name, _time(one["created"]), _time(one["seen_absent"])]
            for one, name in zip(made, shown, strict=True)
        ]
        for line in table(("resource", "name", "made", "seen gone"), rows):
            say(line)
        for one in made:
            if one["state"] not in ("", "absent"):
                say(f"  {one['kind']}: {plain(one['state'])}")
    return 0


def chain_lines(attempt: int | None, went_on_from: str, followed_by: str) -> list[str]:
    """Where a run stands among the attempts at its upload; none for one that stands alone."""
    lines = []
    if attempt is not None and attempt > 1:
        how = f"goes on from the checkpoint of run {plain(went_on_from)}" if went_on_from else "begins anew"
        lines.append(f"  attempt {attempt}: {how}")
    if followed_by:
        lines.append(f"  the next attempt follows by itself: run {plain(followed_by)}")
    return lines


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


def resources(api: Api, settings: Settings, run: str) -> list[dict[str, str]]:
    """The run's resources by its ledger, as `proof.Lifetime` has them."""
    bucket = names.evidence_bucket(settings)
    listed = objects.listing(api, bucket, names.ledger_prefix(run))
    stored = [record.name for record in listed if is_entry(record.name)]
    entries = [parse_entry(objects.read(api, bucket, name) or b"", name) for name in stored]
    return [msgspec.to_builtins(one) for one in proof.lifetimes(entries)]
