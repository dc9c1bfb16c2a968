"""Grants as allow policies: read, compare, and written back only if something is missing or left over.

- Bindings that are not ours (other members) stay as they are.
- A member of this deployment that the description does not name any more loses the binding.
"""

from __future__ import annotations

from collections.abc import Sequence

from cli.api import Api, Json
from cli.deploy.description import Audit, Grant

_Binding = tuple[str, str]  # role, condition


def ensure_policy(
    api: Api, on: str, grants: Sequence[Grant], ours: tuple[str, ...], audits: Sequence[Audit] = ()
) -> bool:
    """Make the policy of one resource hold `grants` (and a project's `audits`); True if it had to change.

    `ours` are prefixes of members that belong to this deployment alone.
    """
    service, path = _address(on)
    policy = _read(api, service, path)
    configs = _audited(policy.get("auditConfigs", []), audits)
    wanted: dict[_Binding, set[str]] = {}
    for grant in grants:
        wanted.setdefault((grant.role, grant.condition), set()).add(grant.member)
    reached = _merged(_bindings(policy), wanted, ours)
    if reached == _bindings(policy) and configs == policy.get("auditConfigs", []):
        return False
    reasons = {(grant.role, grant.condition): grant.reason for grant in grants}
    bindings = [_binding(pair, members, reasons.get(pair, "")) for pair, members in sorted(reached.items())]
    changed: Json = {"version": 3, "etag": policy.get("etag", ""), "bindings": bindings}
    if service == "storage":
        api.call("PUT", service, path, body=changed)
    elif service == "cloudresourcemanager":
        mask = "bindings,etag,auditConfigs"
        api.post(
            service,
            f"{path}:setIamPolicy",
            {"policy": {**changed, "auditConfigs": configs}, "updateMask": mask},
        )
    else:
        api.post(service, f"{path}:setIamPolicy", {"policy": changed})
    return True


def bindings(api: Api, on: str) -> dict[_Binding, set[str]]:
    """Who has which role under which condition on a resource: members by (role, condition)."""
    return _bindings(_read(api, *_address(on)))


def _audited(there: list[Json], audits: Sequence[Audit]) -> list[Json]:
    """The audit configurations with ours in place of what there was for the same service."""
    ours = {audit.service for audit in audits}
    wanted = [
        {"service": audit.service, "auditLogConfigs": [{"logType": kind} for kind in audit.log_types]}
        for audit in audits
    ]
    return sorted(
        [*(one for one in there if one.get("service") not in ours), *wanted],
        key=lambda one: str(one["service"]),
    )


def _merged(
    there: dict[_Binding, set[str]], wanted: dict[_Binding, set[str]], ours: tuple[str, ...]
) -> dict[_Binding, set[str]]:
    merged = {pair: {m for m in members if not m.startswith(ours)} for pair, members in there.items()}
    for pair, members in wanted.items():
        merged.setdefault(pair, set()).update(members)
    return {pair: members for pair, members in merged.items() if members}


def _bindings(policy: Json) -> dict[_Binding, set[str]]:
    found: dict[_Binding, set[str]] = {}
    for binding in policy.get("bindings", []):
        condition = binding.get("condition", {}).get("expression", "")
        found.setdefault((binding["role"], condition), set()).update(binding["members"])
    return found


def _binding(pair: _Binding, members: set[str], reason: str) -> Json:
    role, condition = pair
    binding: Json = {"role": role, "members": sorted(members)}
    if condition:
        binding["condition"] = {"title": reason[:100] or "condition", "expression": condition}
    return binding


def _read(api: Api, service: str, path: str) -> Json:
    if service == "storage":
        return api.get(service, path, optionsRequestedPolicyVersion=3)
    if service in ("iam", "cloudresourcemanager"):
        return api.post(service, f"{path}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})
    return api.get(service, f"{path}:getIamPolicy", **{"options.requestedPolicyVersion": 3})


def _address(on: str) -> tuple[str, str]:
    """Service and path of a resource's policy."""
    parts = on.split("/")
    if parts[2:3] == ["buckets"]:
        return "storage", f"/storage/v1/b/{parts[3]}/iam"
    if len(parts) == 2:
        return "cloudresourcemanager", f"/v3/{on}"
    collection = parts[-2]
    return {
        "keyRings": ("cloudkms", f"/v1/{on}"),
        "cryptoKeys": ("cloudkms", f"/v1/{on}"),
        "topics": ("pubsub", f"/v1/{on}"),
        "subscriptions": ("pubsub", f"/v1/{on}"),
        "serviceAccounts": ("iam", f"/v1/{on}"),
        "services": ("run", f"/v2/{on}"),
        "repositories": ("artifactregistry", f"/v1/{on}"),
    }[collection]
