"""A deployment as data: what exists, and who may do what on it, each with its reason.

- `name` is the full resource name, as the API spells it; `body` is what the API is told, and what an existing
  resource is compared with.
- The order of resources is the order of making: a thing stands after what it refers to.
- A grant gives one role on one resource to one member. A member `writer-of:SINK` is the identity that Logging
  gives to that sink when it is made.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Kind = Literal[
    "account",
    "role",
    "ring",
    "key",
    "pool",
    "provider",
    "repository",
    "bucket",
    "topic",
    "dataset",
    "table",
    "function",
    "workflow",
    "subscription",
    "job",
    "sink",
]


class Resource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that exists once the deployment stands."""

    kind: Kind
    name: str
    body: dict[str, Any]


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One role for one member on one resource. `condition` is CEL, or empty for none."""

    on: str
    role: str
    member: str
    reason: str
    condition: str = ""


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Data access logs that the project keeps for one service."""

    service: str
    log_types: tuple[str, ...]
    reason: str


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole deployment."""

    project: str
    region: str
    resources: tuple[Resource, ...]
    grants: tuple[Grant, ...]
    audits: tuple[Audit, ...]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment is made from besides its settings.

    `owner` is the IAM member that models are opened for; `archive` the object of the functions' source;
    `workflows` the source text by name; `environment` variables that a stand-in's functions have besides.
    """

    owner: str
    archive: str
    workflows: dict[str, str]
    environment: dict[str, str]
