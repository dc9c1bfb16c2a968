"""Every live resource, told by the doors that keep them.

`inventory_source(kind, function)`: `function(cloud)` lists what exists of that kind as `{"name": full name,
"labels": {…}, "bills": bool, "created": RFC 3339, "" where the API does not tell}`. `inventory(cloud)`
is all of it, each with its `kind`, in order of kind and name. `bills` means: costs money merely by existing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.world.cloud import Cloud

Json = dict[str, Any]
Source = Callable[[Cloud], list[Json]]

_SOURCES: dict[str, Source] = {}


def inventory_source(kind: str, function: Source) -> None:
    """Register the lister of one kind ("storage.bucket", …); the last one registered counts."""
    _SOURCES[kind] = function


def plain_source(kind: str, created: str = "createTime") -> None:
    """Register the lister of a kind whose documents say all themselves, and which does not bill."""

    def rows(cloud: Cloud) -> list[Json]:
        return [
            {
                "name": name,
                "labels": body.get("labels", {}),
                "bills": False,
                "created": body.get(created, ""),
            }
            for name, body in cloud.store.documents(kind)
        ]

    inventory_source(kind, rows)


def inventory(cloud: Cloud) -> list[Json]:
    """All live resources of the project, one moment's view."""
    found: list[Json] = []
    with cloud.store.transaction():
        for kind in sorted(_SOURCES):
            rows = sorted(_SOURCES[kind](cloud), key=lambda row: str(row["name"]))
            found.extend({"kind": kind, **row} for row in rows)
    return found
