"""Does the deployment admit runs, or is this month's budget spent?"""

from __future__ import annotations

from datetime import datetime

from sealtrain.rules import budget, names
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings

from cli import objects
from cli.api import Api
from cli.doctor import mending
from cli.doctor.line import Line, fail, ok, warn
from cli.errors import CloudError


def check(api: Api, settings: Settings, now: datetime) -> Line:
    """One line: a pause is a warning, since it is meant."""
    bucket, name = names.state_bucket(settings), budget.record_now(now)
    lift = mending.remove_object(settings, bucket, name)
    if not settings.endpoint:  # the stand-in has no budget: what told of one was published by hand
        lift = f"raise budget_usd and apply, then {lift}"
    try:
        record = objects.read(api, bucket, name)
        pause = None if record is None else parse(record, budget.Pause, name)
    except CloudError as error:
        told = f"whether it is spent could not be seen: {error}"
        return warn("budget", told, mending.to_see("budget", error, settings))
    except SealtrainError as error:
        return fail("budget", f"no run is admitted: {error}", lift)
    if pause is None or now >= pause.until:
        return ok("budget", "no notification says that it is spent; runs are admitted")
    spent = f"{pause.cost:.2f} of {pause.budget:.2f} {pause.currency}"
    return warn("budget", f"spent ({spent}): no run is admitted until {pause.until:%Y-%m-%d %H:%M} UTC", lift)
