"""Does the deployment admit runs, or is this month's budget spent?"""

from __future__ import annotations

from datetime import datetime

from sealtrain.rules import budget
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.settings import Settings

from cli import pauses
from cli.api import Api
from cli.called import called
from cli.doctor import mending
from cli.doctor.line import Line, fail, ok, warn
from cli.errors import CloudError


def check(api: Api, settings: Settings, now: datetime) -> Line:
    """One line: a pause is a warning, since it is meant."""
    lift = f"{called()} resume"
    if not settings.endpoint:  # the stand-in has no budget: what told of one was published by hand
        lift = f"raise budget_usd and apply, then {lift}"
    try:
        found = pauses.standing(api, settings, now)
    except CloudError as error:
        told = f"whether it is spent could not be seen: {error}"
        return warn("budget", told, mending.to_see("budget", error, settings))
    except SealtrainError as error:
        return fail("budget", f"no run is admitted: {error}", lift)
    if found is None:
        return ok("budget", "no pause stands; runs are admitted")
    return warn("budget", f"spent: {_said(found[1])}", lift)


def _said(pause: budget.Pause) -> str:
    """What a pause means to an operator."""
    spent = f"{pause.cost:.2f} of {pause.budget:.2f} {pause.currency}"
    until = f"{pause.until:%Y-%m-%d %H:%M} UTC"
    return f"{spent}; no run is admitted until {until}. {budget.checkpoints_go()}"
