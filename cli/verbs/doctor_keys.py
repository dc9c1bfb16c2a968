"""`sealtrain doctor --keys`: who can decrypt with the release keys, and who could come to.

Exit 1 unless the first are exactly the attested machines.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cli import place
from cli.api import Api
from cli.doctor import keys as of_keys
from cli.doctor.iam import Holder
from cli.errors import EXIT_NO
from cli.output import emit, plain, say, table


def doctor_keys(as_json: bool) -> int:
    """Show both lists."""
    settings = place.find(os.environ, Path.cwd())
    report = of_keys.check(Api(settings), settings)
    if as_json:
        emit(told(report))
    else:
        for line in lines(report):
            say(line)
    return 0 if report.ok else EXIT_NO


def told(report: of_keys.Report) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "ok": report.ok,
        "can_decrypt": [
            {**_holder(one), "expected": one not in report.unexpected} for one in report.can_decrypt
        ],
        "missing": report.missing,
        "pool": report.pool,
        "could_come_to": [{**_holder(one), "how": how} for how, one in report.could_come_to],
        "not_read": report.unread,
    }


def lines(report: of_keys.Report) -> list[str]:
    """Both lists as tables, and what is wrong."""
    rows = [
        ("UNEXPECTED" if one in report.unexpected else "attested", *_cells(one)) for one in report.can_decrypt
    ]
    shown = ["can decrypt with the release keys", *table(("", "member", "role", "on"), rows)]
    shown += [f"MISSING  {plain(member)} cannot decrypt" for member in report.missing]
    shown += [f"POOL  {plain(fault)}" for fault in report.pool]
    shown += [f"NOT READ  {plain(what)}" for what in report.unread]
    shown += ["", "could give themselves the right"]
    shown += table(("by", "member", "role", "on"), [(how, *_cells(one)) for how, one in report.could_come_to])
    verdict = (
        "the release keys open for attested machines of approved images, and for nobody else"
        if report.ok
        else "the release keys are NOT held by exactly the attested machines"
    )
    return [*shown, "", verdict]


def _holder(one: Holder) -> dict[str, Any]:
    return {
        "member": one.member,
        "on": one.on,
        "role": one.role,
        "condition": one.condition,
        "permissions": list(one.permissions),
    }


def _cells(one: Holder) -> tuple[str, str, str]:
    return one.member, one.role + (f" if {one.condition}" if one.condition else ""), one.on
