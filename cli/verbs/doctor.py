"""`sealtrain doctor`: can the project take it; with --deployed, is what stands what was described, and alive?

- Exit 1 if any line says fail.
- A line is told as soon as it is known; with --json all are told at the end, as one document.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sealtrain.rules.settings import Settings

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
    lines: list[Line] = []
    for line in _after(api, settings) if after else project.check(api, settings):
        lines.append(line)
        if not as_json:
            _tell(line)
    if as_json:
        emit({"ok": not _failed(lines), "lines": [msgspec.to_builtins(line) for line in lines]})
    else:
        counts = {state: sum(line.state == state for line in lines) for state in ("ok", "warn", "fail")}
        say("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
    return EXIT_NO if _failed(lines) else 0


def _after(api: Api, settings: Settings) -> Iterator[Line]:
    now = datetime.now(UTC)
    yield from deployed.check(api, settings)
    yield from monitoring.check(api, settings, now)
    yield budget.check(api, settings, now)
    yield from canary.check(api, settings, _CANARY_S)


def _tell(line: Line) -> None:
    say(f"{line.state:<5} {plain(line.name)}: {plain(line.told)}")
    if line.mend:
        say(f"      do: {plain(line.mend)}")


def _failed(lines: list[Line]) -> bool:
    return any(line.state == "fail" for line in lines)
