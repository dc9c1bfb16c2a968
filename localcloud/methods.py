"""What is imitated, told from the code: `python -m localcloud.methods`, and with `--short` for the README."""

from __future__ import annotations

import sys
from itertools import groupby

from localcloud.doors import DOORS
from localcloud.doors.discovery import VERSIONS
from localcloud.stand_in import open_doors

_HEAD = """# What the stand-in imitates

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
        parts.append(f"\n## {api} {VERSIONS[api]}\n\n| method | permission |\n|---|---|\n{rows}\n")
    return "".join([*parts, _BESIDE])


def short() -> str:
    """One line for each API: which collections, how many methods."""
    lines = []
    for api, ids in _by_api():
        collections = sorted({one.split(".")[-2] for one in ids})
        lines.append(f"- **{api}** {VERSIONS[api]}: {', '.join(collections)} ({len(ids)} methods)")
    return "\n".join(lines) + "\n"


def _by_api() -> list[tuple[str, list[str]]]:
    open_doors()
    return [(api, list(ids)) for api, ids in groupby(sorted(DOORS), key=lambda one: one.partition(".")[0])]


def _permission(method: str) -> str:
    permission = DOORS[method].permission
    return f"`{permission}`" if permission else "–"


if __name__ == "__main__":
    sys.stdout.write(short() if sys.argv[1:] == ["--short"] else page())
