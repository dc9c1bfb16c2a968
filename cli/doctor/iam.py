"""Allow policies and roles as Google's APIs give them: who holds a permission where, and above it.

- A binding on a resource holds for everything below; folders and the organisation are read as well.
- A binding with a condition counts: it can come true.
- What may not be read is told, never taken for empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from cli.api import Api, Json
from cli.errors import CloudError

LONGEST_ANCESTRY = 12  # an organisation and ten levels of folders


@dataclass(frozen=True)
class Holder:
    """A member that holds a role on a resource, and which of the asked permissions come with it."""

    member: str
    on: str
    role: str
    condition: str
    permissions: tuple[str, ...]


class Policies:
    """Reads policies and roles, each once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._policies: dict[str, list[Json]] = {}
        self._roles: dict[str, frozenset[str] | None] = {}
        self.unread: list[str] = []

    def holders(self, on: Iterable[str], permissions: Iterable[str]) -> list[Holder]:
        """Everybody who holds one of the permissions by a binding on one of the resources."""
        wanted = frozenset(permissions)
        found = []
        for resource in on:
            for binding in self._bindings(resource):
                role, held = str(binding.get("role", "")), self._permissions(str(binding.get("role", "")))
                # A role that cannot be read might hold anything.
                matching = tuple(sorted(wanted if held is None else wanted & held))
                condition = str(binding.get("condition", {}).get("expression", ""))
                if matching:
                    found += [
                        Holder(str(member), resource, role, condition, matching)
                        for member in binding.get("members", [])
                    ]
        return found

    def above(self, project: str) -> list[str]:
        """The project and what it stands under, from below."""
        chain, name = [f"projects/{project}"], f"projects/{project}"
        while len(chain) <= LONGEST_ANCESTRY:
            found = self._read(name, partial(self._api.get, "cloudresourcemanager", f"/v3/{name}"))
            name = str((found or {}).get("parent", ""))
            if not name:
                break
            chain.append(name)
        return chain

    def _bindings(self, resource: str) -> list[Json]:
        if resource not in self._policies:
            answer = self._read(f"policy of {resource}", lambda: self._policy(resource))
            self._policies[resource] = (answer or {}).get("bindings", [])
        return self._policies[resource]

    def _policy(self, resource: str) -> Json:
        kind = resource.split("/")[-2]
        if kind in ("keyRings", "cryptoKeys"):
            path = f"/v1/{resource}:getIamPolicy"
            return self._api.get("cloudkms", path, **{"options.requestedPolicyVersion": 3})
        service, version = ("iam", "v1") if kind == "serviceAccounts" else ("cloudresourcemanager", "v3")
        body = {"options": {"requestedPolicyVersion": 3}}
        return self._api.post(service, f"/{version}/{resource}:getIamPolicy", body)

    def _permissions(self, role: str) -> frozenset[str] | None:
        if role not in self._roles:
            answer = self._read(f"role {role}", lambda: self._api.get("iam", f"/v1/{role}"))
            listed = None if answer is None else answer.get("includedPermissions", [])
            # Of pools the API writes some permissions with the service's host, some without.
            short = None if listed is None else {p.replace("iam.googleapis.com/", "iam.") for p in listed}
            self._roles[role] = None if short is None else frozenset(short)
        return self._roles[role]

    def _read(self, what: str, ask: Callable[[], Json]) -> Json | None:
        try:
            return ask()
        except CloudError as error:
            if error.status not in (403, 404):
                raise
            self.unread.append(what)
            return None
