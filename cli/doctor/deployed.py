"""Is what stands what was described? Every resource and every grant of the description against the live ones.

- Missing, different, or switched off: fail, with the command that mends it.
- A member of ours that holds more than described, or everybody: fail. Other people's grants are theirs.
- Owners are a deployment's own: their grants are looked at by `doctor --keys`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.deploy.description import Grant, Parts, Resource
from cli.deploy.kinds import differing, look
from cli.deploy.policies import bindings
from cli.deploy.stand_in import workflows
from cli.deploy.world import describe
from cli.doctor import mending
from cli.doctor.line import Line, fail, ok, warn
from cli.errors import CloudError

_WORKERS = 6
# Kind -> whether it works, as its own state says.
_WORKS = {
    "account": lambda there: not there.get("disabled"),
    "function": lambda there: there.get("state", "ACTIVE") == "ACTIVE",
    "job": lambda there: there.get("state", "ENABLED") == "ENABLED",
    "key": lambda there: there.get("primary", {}).get("state", "ENABLED") == "ENABLED",
    "sink": lambda there: not there.get("disabled"),
    "workflow": lambda there: there.get("state", "ACTIVE") == "ACTIVE",
}


def check(api: Api, settings: Settings) -> list[Line]:
    """One line per kind that is well, and one per thing that is not."""
    parts = Parts(owner="", archive="", workflows=workflows(), environment={})
    world = describe(settings, parts)
    by_kind: dict[str, list[Resource]] = defaultdict(list)
    for resource in world.resources:
        by_kind[resource.kind].append(_comparable(resource))
    lines: list[Line] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for kind, resources in by_kind.items():
            found = [
                line
                for lines in pool.map(lambda r: list(_resource(api, settings, r)), resources)
                for line in lines
            ]
            lines += found or [ok(kind, f"{len(resources)} as described")]
        placed = _by_resource([grant for grant in world.grants if grant.member], api, settings)
        told = pool.map(lambda grants: list(_grants(api, settings, grants)), placed)
        found = [line for lines in told for line in lines]
    return [*lines, *(found or [ok("grants", f"{sum(map(len, placed))} as described")])]


def _comparable(resource: Resource) -> Resource:
    """Without what each build and each machine has of its own, and what its grants say."""
    body = dict(resource.body)
    if resource.kind == "function":
        body["buildConfig"] = {k: v for k, v in body["buildConfig"].items() if k != "source"}
        body["serviceConfig"] = {
            k: v for k, v in body["serviceConfig"].items() if k != "environmentVariables"
        }
    if resource.kind == "dataset":
        body.pop("access")
    return Resource(resource.kind, resource.name, body)


def _resource(api: Api, settings: Settings, resource: Resource) -> Iterator[Line]:
    name = f"{resource.kind} {resource.name.rpartition('/')[2]}"
    try:
        there = look(api, resource)
    except CloudError as error:
        yield warn(name, f"could not be read: {error}", mending.to_see(resource.kind, error, settings))
        return
    if there is None:
        yield fail(name, "does not exist", mending.again(settings))
        return
    for field in differing(resource, there):
        told = f"{field}: got {_short(there.get(field))}, expected {_short(resource.body[field])}"
        yield fail(name, told, mending.difference(settings, resource, field))
    works: Any = _WORKS.get(resource.kind)
    if works and not works(there):
        version = str(there.get("primary", {}).get("name", ""))
        yield fail(name, "is switched off", mending.state(settings, resource, version))


def _grants(api: Api, settings: Settings, grants: list[Grant]) -> Iterator[Line]:
    on = grants[0].on
    try:
        there = bindings(api, on)
    except CloudError as error:
        yield warn(f"grants on {on}", f"could not be read: {error}", mending.to_see(on, error, settings))
        return
    wanted = {(grant.role, grant.condition, grant.member) for grant in grants}
    for grant in grants:
        if grant.member not in there.get((grant.role, grant.condition), set()):
            told = f"{grant.member} lacks {grant.role}: it {grant.reason}"
            yield fail(f"grant on {on}", told, mending.grant(settings, grant))
    ours = (
        f"serviceAccount:{settings.deployment}-",
        f"principalSet://iam.googleapis.com/{names.pool(settings)}/",
        "all",
    )
    for (role, condition), members in there.items():
        for member in sorted(members):
            if member.startswith(ours) and (role, condition, member) not in wanted:
                extra = Grant(on=on, role=role, member=member, reason="", condition=condition)
                told = f"{member} holds {role}, which nothing describes"
                yield fail(f"grant on {on}", told, mending.grant(settings, extra, "remove"))


def _by_resource(grants: list[Grant], api: Api, settings: Settings) -> list[list[Grant]]:
    """Grants by resource; a dataset's stand in its own access list, and the sink's writer is looked up."""
    placed: dict[str, list[Grant]] = defaultdict(list)
    for grant in grants:
        if "/datasets/" in grant.on:
            continue
        kind, _, sink = grant.member.partition(":")
        if kind == "writer-of":
            found = api.find("logging", f"/v2/projects/{settings.project}/sinks/{sink}") or {}
            writer = str(found.get("writerIdentity", grant.member))
            placed[grant.on].append(Grant(grant.on, grant.role, writer, grant.reason))
        else:
            placed[grant.on].append(grant)
    return list(placed.values())


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "…"
