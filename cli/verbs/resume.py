"""`sealtrain resume`: lift the pause of a spent budget, so that runs are admitted again.

The lift is a record beside the pause, with its reason. It holds for what was spent so far: once the cost
reaches the budget (raised, or as it is) the next time, admission is paused anew.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from sealtrain.rules import budget

from cli import pauses, place
from cli.api import Api
from cli.output import emit, say


def resume(reason: str, as_json: bool) -> int:
    """Lift the pause that stands, if one does."""
    settings, now = place.find(os.environ, Path.cwd()), datetime.now(UTC)
    api = Api(settings)
    found = pauses.standing(api, settings, now)
    if found is not None:
        pauses.lift(api, settings, found[0], budget.Lift(time=now, reason=reason))
    if as_json:
        emit({"lifted": found and found[0], "reason": reason})
    elif found is None:
        say("no pause stands; runs are admitted")
    else:
        say("the pause is lifted; runs are admitted. What was refused: `sealtrain submit DATA --attempt N`")
        say(budget.checkpoints_go())
    return 0
