"""What there is, told from the code: `python -m localcloud.methods`, with `--short` for the README, with
`--control` and `--faults` for what the control door takes and what a fault can be.
"""

from __future__ import annotations

import sys
from itertools import groupby

from localcloud.doors import DOORS
from localcloud.doors.control import ACTIONS, PLACES
from localcloud.doors.discovery import VERSIONS
from localcloud.stand_in import open_doors
from localcloud.world.faults import ANSWERS

_HEAD = """## What it imitates

Every method of Google's APIs that it answers, by the id in Google's discovery documents, with the permission
that a caller needs (a dash: the method itself decides, by what the request touches). All else answers 501.
Written by `python -m localcloud.methods`; a test compares it with the code.
"""
_BESIDE = """
Beside them, without a discovery document: `sts.token` (workload identity federation), the registry protocol
of container images (`/v2/`), the metadata servers, workflow callbacks, the front door of functions, and the
control door.
"""


def page() -> str:
    """Every method, as Markdown."""
    parts = [_HEAD]
    for api, ids in _by_api():
        rows = "\n".join(f"| `{one.partition('.')[2]}` | {_permission(one)} |" for one in ids)
        parts.append(f"\n### {api} {VERSIONS[api]}\n\n| method | permission |\n|---|---|\n{rows}\n")
    return "".join([*parts, _BESIDE])


def short() -> str:
    """One line for each API: which collections, how many methods."""
    lines = []
    for api, ids in _by_api():
        collections = sorted({one.split(".")[-2] for one in ids})
        lines.append(f"- **{api}** {VERSIONS[api]}: {', '.join(collections)} ({len(ids)} methods)")
    return "\n".join(lines) + "\n"


def control() -> str:
    """What the control door takes."""
    rows = [
        f"| `{verb} /_control/{word}` | {f'`{action.body}`' if action.body else ''} | {action.told} |"
        for (verb, word), action in sorted(ACTIONS.items(), key=lambda one: (one[0][1], one[0][0]))
    ]
    return "\n".join(["| request | with | |", "|---|---|---|", *rows]) + "\n"


def faults() -> str:
    """What a fault can be, and where one is met that no method meets."""
    rows = [f"| `{answer}` | {told} |" for answer, told in ANSWERS.items()]
    places = [f"| `{name}` | {place.told} |" for name, place in sorted(PLACES.items())]
    head = ["| answer | what becomes of the call |", "|---|---|"]
    status = "| 400 to 599 | that status is the answer, and nothing happened |"
    where = ["", "| place that is no method | what is met there |", "|---|---|"]
    return "\n".join([*head, status, *rows, *where, *places]) + "\n"


def _by_api() -> list[tuple[str, list[str]]]:
    open_doors()
    return [(api, list(ids)) for api, ids in groupby(sorted(DOORS), key=lambda one: one.partition(".")[0])]


def _permission(method: str) -> str:
    permission = DOORS[method].permission
    return f"`{permission}`" if permission else "–"


if __name__ == "__main__":
    asked = {"--short": short, "--control": control, "--faults": faults}
    sys.stdout.write(asked.get("".join(sys.argv[1:]), page)())
