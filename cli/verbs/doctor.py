"""`sealtrain doctor`: can the project take it; with --deployed, is what stands what was described, and alive?

- Exit 1 if any line says fail.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cli import place
from cli.api import Api
from cli.doctor import budget, canary, deployed, monitoring, project
from cli.doctor.line import Line
from cli.errors import EXIT_NO
from cli.output import emit, plain, say

_CANARY_S = 120.0


def doctor(after: bool, as_json: bool) -> int:
    """Look, tell, and judge."""
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    if after:
        now = datetime.now(UTC)
        lines = [*deployed.check(api, settings), *monitoring.check(api, settings, now)]
        lines += [budget.check(api, settings, now), *canary.check(api, settings, _CANARY_S)]
    else:
        lines = project.check(api, settings)
    if as_json:
        emit({"ok": not _failed(lines), "lines": [msgspec.to_builtins(line) for line in lines]})
    else:
        for line in lines:
            say(f"{line.state:<5} {plain(line.name)}: {plain(line.told)}")
            if line.mend:
                say(f"      do: {plain(line.mend)}")
        counts = {state: sum(line.state == state for line in lines) for state in ("ok", "warn", "fail")}
        say("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
    return EXIT_NO if _failed(lines) else 0


def _failed(lines: list[Line]) -> bool:
    return any(line.state == "fail" for line in lines)
