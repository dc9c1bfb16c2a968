"""Allow policies: bindings on a resource or above it decide whether a caller holds a permission.

- A policy belongs to a resource name ("projects/_/buckets/B", "projects/P/locations/L/keyRings/R"); it
  holds for everything below. The project's own policy holds for all.
- A binding with a condition counts when its CEL expression is true; an expression that fails to evaluate
  is false.
- Roles are Google's predefined ones (data, see data/README.md), custom roles of the project, and one of
  our own:
  the person at the keyboard may do everything except use keys, so that "the operator can see neither data nor
  model" can be shown.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from localcloud.identity import cel
from localcloud.identity.tokens import KEYBOARD, Caller
from localcloud.world.clock import Clock
from localcloud.world.store import Document, Store

_BEFORE = "iam.policy.before"
KEYBOARD_ROLE = "roles/localcloud.keyboard"
_USE_OF_KEYS = ("cloudkms.cryptoKeyVersions.useTo",)


class Iam:
    """Policies and the question whether somebody may."""

    def __init__(self, store: Store, clock: Clock, project: str) -> None:
        self._store, self._clock, self._project = store, clock, project
        self._used: dict[tuple[str, str, str, str], set[str]] = {}

    def seed(self) -> None:
        """Give the person at the keyboard their role on a fresh project."""
        binding = {"role": KEYBOARD_ROLE, "members": [KEYBOARD.principal]}
        policy = {"version": 3, "etag": "ACAB", "bindings": [binding]}
        self._store.create("iam.policy", f"projects/{self._project}", policy)

    def policy(self, resource: str) -> Document:
        """The policy set on exactly this resource."""
        return self._store.get("iam.policy", resource) or {"version": 1, "etag": "ACAB"}

    def set_policy(self, resource: str, policy: Document, takes_effect: float = 0.0) -> Document:
        """Replace a policy; the etag moves on. Until `takes_effect` (clock seconds) the one before counts."""
        number = self._store.next_number("iam.etag")
        stored = {**policy, "etag": f"BwX{number:013d}"}
        if takes_effect > self._clock.now():
            replaced = {"policy": self.policy(resource), "until": takes_effect}
            self._store.put(_BEFORE, resource, {"policies": [*self._replaced(resource), replaced]})
        self._store.put("iam.policy", resource, stored)
        return stored

    def effective(self, resource: str) -> Document:
        """What counts now on exactly this resource: the oldest policy not yet replaced everywhere."""
        replaced = self._replaced(resource)
        return dict(replaced[0]["policy"]) if replaced else self.policy(resource)

    def _replaced(self, resource: str) -> list[Document]:
        """Policies that still count somewhere, oldest first."""
        before = self._store.get(_BEFORE, resource)
        now = self._clock.now()
        return [one for one in before["policies"] if now < one["until"]] if before else []

    def allowed(self, caller: Caller, permission: str, resource: str) -> bool:
        """Whether a binding on `resource` or above it gives `permission` to `caller` now."""
        for name in self._lineage(resource):
            for binding in self.effective(name).get("bindings", []):
                members = caller.members.intersection(binding.get("members", []))
                if not members:
                    continue
                if not self._grants(binding["role"], permission):
                    continue
                expression = binding.get("condition", {}).get("expression", "")
                if not expression or self._holds(expression, resource):
                    for member in members:
                        given = (name, binding["role"], member, expression)
                        self._used.setdefault(given, set()).add(permission)
                    return True
        return False

    def used(self) -> list[Document]:
        """The bindings that have given somebody a permission since the start, and which permissions."""
        return [
            {"on": on, "role": role, "member": member, "condition": condition, "permissions": sorted(held)}
            for (on, role, member, condition), held in sorted(self._used.copy().items())
        ]

    def _lineage(self, resource: str) -> list[str]:
        parts = resource.split("/")
        names = ["/".join(parts[:end]) for end in range(len(parts), 1, -1)]
        project = f"projects/{self._project}"
        return names if project in names else [*names, project]

    def _grants(self, role: str, permission: str) -> bool:
        if role == KEYBOARD_ROLE:
            return not permission.startswith(_USE_OF_KEYS)
        if role in ("roles/owner", "roles/editor"):
            return True
        if role.startswith("projects/"):
            custom = self._store.get("iam.role", role)
            return custom is not None and permission in custom.get("includedPermissions", [])
        return permission in predefined_roles().get(role, ())

    def _holds(self, expression: str, resource: str) -> bool:
        import celpy
        from celpy.adapter import json_to_cel

        moment = celpy.celtypes.TimestampType(datetime.fromtimestamp(self._clock.now(), UTC))
        facts: Any = json_to_cel({"name": resource, "type": "", "service": ""})
        activation = {"resource": facts, "request": celpy.celtypes.MapType({"time": moment})}
        return cel.holds(expression, activation)


def permissions_of(role: str) -> list[str] | None:
    """What a role that is not custom holds, in order; None for a role that does not exist."""
    everything = frozenset[str]().union(*predefined_roles().values())
    if role in ("roles/owner", "roles/editor"):
        return sorted(everything)
    if role == KEYBOARD_ROLE:
        return sorted(p for p in everything if not p.startswith(_USE_OF_KEYS))
    held = predefined_roles().get(role)
    return None if held is None else sorted(held)


@cache
def predefined_roles() -> dict[str, frozenset[str]]:
    """Google's predefined roles: name -> permissions."""
    data = gzip.decompress((files("localcloud.identity") / "data" / "roles.json.gz").read_bytes())
    roles: dict[str, Any] = json.loads(data)["roles"]
    return {name: frozenset(role["permissions"]) for name, role in roles.items()}
