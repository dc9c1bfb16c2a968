"""The pause of admission, read and lifted. Its rules: `sealtrain.rules.budget`."""

from __future__ import annotations

from datetime import datetime

from sealtrain.rules import budget, names
from sealtrain.rules.canonical import dumps
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings

from cli import objects
from cli.api import Api


def standing(api: Api, settings: Settings, now: datetime) -> tuple[str, budget.Pause] | None:
    """Name and record of the pause that keeps runs from being admitted, or None. Raises SealtrainError."""
    bucket = names.state_bucket(settings)
    stored = [one.name for one in objects.listing(api, bucket, budget.folder_now(now))]
    name = budget.in_force(stored)
    record = None if name is None else objects.read(api, bucket, name)
    if name is None or record is None:
        return None
    pause = parse(record, budget.Pause, name)
    return (name, pause) if now < pause.until else None


def lift(api: Api, settings: Settings, pause: str, why: budget.Lift) -> bool:
    """Record that the pause of this name is lifted; False if somebody did that already."""
    return objects.create(api, names.state_bucket(settings), budget.lift(pause), dumps(why))
