"""A run's records, read from the buckets that keep them; read-only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sealtrain.rules import names
from sealtrain.rules.ledger import short_name
from sealtrain.rules.settings import Settings

from cli import objects
from cli.api import Api
from cli.errors import CommandError
from cli.progress import Progress, derive


def run_ids(api: Api, settings: Settings) -> list[str]:
    """Every run that was ever claimed or refused, in name order."""
    claimed = objects.folders(api, names.state_bucket(settings), "runs/")
    refused = objects.listing(api, names.inbox_bucket(settings), "refused/")
    told = [item.name.removeprefix("refused/").removesuffix(".json") for item in refused]
    return sorted({run for run in [*claimed, *told] if names.RUN_ID.fullmatch(run)})


def progress(api: Api, settings: Settings, run: str) -> Progress:
    """How far a run is; a run without any record has only empty phases."""
    prefix = names.evidence_prefix(run)
    buckets = {"state": names.state_bucket(settings), "evidence": names.evidence_bucket(settings)}
    records = {
        where: [
            (item.name.removeprefix(prefix), item.created) for item in objects.listing(api, bucket, prefix)
        ]
        for where, bucket in buckets.items()
    }
    mine = [objects.find(api, buckets["evidence"], name) for name in (names.token(run), names.receipt(run))]
    below = names.shown_prefix(run)
    records["shown"] = [(one.name.removeprefix(below), one.created) for one in mine if one is not None]
    closed = None
    if any(name == "closed.json" for name, _ in records["evidence"]):
        closed = objects.read_json(api, buckets["evidence"], names.closed(run))
    refusal = None
    if not any(name == "job.json" for name, _ in records["state"]):
        refusal = objects.read_json(api, names.inbox_bucket(settings), names.refusal(run))
    return derive(run, records, closed, refusal)


def attempt_of(api: Api, settings: Settings, run: str) -> tuple[int | None, str]:
    """Which attempt at its upload a run is, and the run whose checkpoint it goes on from; empty for none."""
    state = names.state_bucket(settings)
    claim = objects.read_json(api, state, names.claim(run)) or {}
    order = objects.read_json(api, state, names.order(run)) or {}
    resume = (order.get("checkpoint") or {}).get("resume") or {}
    return claim.get("upload", {}).get("attempt"), str(resume.get("run", ""))


def known_progress(api: Api, settings: Settings, run: str) -> Progress:
    """The same, for a run that has to exist. Raises CommandError if nothing is known of it."""
    found = progress(api, settings, names.checked_run_id(run))
    if not found.ended and not any(phase.time for phase in found.phases):
        raise no_such_run(run)
    return found


def evidence(api: Api, settings: Settings, run: str, name: str) -> Any:
    """One JSON record of the evidence bucket. Raises CommandError while it does not exist."""
    found = objects.read_json(api, names.evidence_bucket(settings), name)
    if found is None:
        raise CommandError(
            "the run has no such record yet",
            field=name,
            got="nothing",
            remedy=f"`sealtrain status {run}` tells how far it is",
        )
    return found


def no_such_run(run: str) -> CommandError:
    """The error for a run that nobody has heard of."""
    return CommandError(
        "no such run here", field="run", got=run, remedy="`sealtrain runs` lists the runs of this deployment"
    )


def short_names(full: Sequence[str]) -> list[str]:
    """The last part of each name, with its zone where two read the same: a machine is tried in several."""
    last = [name.rpartition("/")[2] for name in full]
    return [
        short_name(name) if last.count(short) > 1 else short for name, short in zip(full, last, strict=True)
    ]
