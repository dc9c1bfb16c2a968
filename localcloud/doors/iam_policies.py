"""Allow policies of the resources whose doors are here: read, replace, test.

- A stale etag is refused (409): somebody else changed the policy in between.
- In bad weather the policy before it goes on counting for a while.
- A project's `auditConfigs` change only if `updateMask` names them; without a mask, bindings alone do.
- A binding needs a role and members of a known kind; a condition needs policy version 3.
"""

from __future__ import annotations

from localcloud.doors import Call, Json, door
from localcloud.doors.errors import ApiError, invalid
from localcloud.identity import cel
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud

_KINDS = ("user:", "serviceAccount:", "group:", "domain:", "principal:", "principalSet:", "deleted:")
_OPEN = ("allUsers", "allAuthenticatedUsers")


def replace_policy(cloud: Cloud, resource: str, policy: Json) -> Json:
    """Check and store `policy` on `resource`; the stored one."""
    stored = cloud.iam.policy(resource)
    etag = policy.get("etag")
    if etag and etag != stored.get("etag"):
        raise ApiError(
            409,
            "There were concurrent policy changes. Please retry the whole read-modify-write with "
            "exponential backoff.",
            status="ABORTED",
        )
    for index, binding in enumerate(policy.get("bindings", [])):
        _check_binding(cloud, index, binding, policy.get("version", 1))
    spreads = cloud.weather.seconds("grant")
    if spreads:
        cloud.beat.later(spreads, "iam.spread", {"resource": resource})
    return cloud.iam.set_policy(
        resource, {"version": 1, "bindings": [], **policy}, takes_effect=cloud.clock.now() + spreads
    )


@task("iam.spread")
def spread(cloud: Cloud, payload: Json) -> None:
    """By now a policy counts everywhere. Its own time says so; this is for a clock that leaps to it."""


def _check_binding(cloud: Cloud, index: int, binding: Json, version: int) -> None:
    role = binding.get("role", "")
    known = role.startswith("roles/") or (
        role.startswith("projects/") and cloud.store.get("iam.role", role) is not None
    )
    if not known:
        raise invalid(f"Role {role!r} in policy.bindings[{index}] is not supported or does not exist.")
    for member in binding.get("members", []):
        if not (member.startswith(_KINDS) or member in _OPEN):
            raise invalid(f"Invalid member {member!r} in policy.bindings[{index}].")
    condition = binding.get("condition")
    if condition and version != 3:
        raise invalid("Specifying a condition requires policy version 3.")
    if condition is not None:
        try:
            cel.program(condition.get("expression", ""))
        except ValueError as error:
            raise invalid(f"policy.bindings[{index}].condition.expression: {error}") from error


def _doors(collection: str, prefix: str) -> None:
    """Register get, set and (where documented) test for one kind of resource."""

    @door(f"{collection}.getIamPolicy", f"{prefix}.getIamPolicy")
    def get(cloud: Cloud, call: Call) -> Json:
        """The policy."""
        return cloud.iam.policy(_resource(cloud, call))

    @door(f"{collection}.setIamPolicy", f"{prefix}.setIamPolicy")
    def set_(cloud: Cloud, call: Call) -> Json:
        """Replace the policy."""
        resource = _resource(cloud, call)
        policy = dict(call.body.get("policy", {}))
        if "auditConfigs" not in str(call.body.get("updateMask", "")).split(","):
            policy.pop("auditConfigs", None)
            audited = cloud.iam.policy(resource).get("auditConfigs")
            if audited is not None:
                policy["auditConfigs"] = audited
        return replace_policy(cloud, resource, policy)

    @door(f"{collection}.testIamPermissions", None)
    def test(cloud: Cloud, call: Call) -> Json:
        """Which of the permissions the caller holds."""
        resource = _resource(cloud, call)
        wanted = call.body.get("permissions", [])
        return {"permissions": [p for p in wanted if cloud.iam.allowed(call.caller, p, resource)]}


def _resource(cloud: Cloud, call: Call) -> str:
    name = str(call.params["resource"])
    return name.replace("projects/-/", f"projects/{cloud.project}/").replace(
        f"projects/{cloud.number}", f"projects/{cloud.project}"
    )


_doors("cloudresourcemanager.projects", "resourcemanager.projects")
_doors("iam.projects.serviceAccounts", "iam.serviceAccounts")
_doors("cloudfunctions.projects.locations.functions", "cloudfunctions.functions")
_doors("run.projects.locations.services", "run.services")
_doors("artifactregistry.projects.locations.repositories", "artifactregistry.repositories")
_doors("cloudkms.projects.locations.keyRings", "cloudkms.keyRings")
_doors("cloudkms.projects.locations.keyRings.cryptoKeys", "cloudkms.cryptoKeys")
_doors("pubsub.projects.topics", "pubsub.topics")
_doors("pubsub.projects.subscriptions", "pubsub.subscriptions")
