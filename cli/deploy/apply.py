"""Makes a project equal to a description: every resource, then every grant, each only if it differs.

- Applying twice changes nothing the second time.
- Keys and the grants on them come before whatever rests under them: a bucket is refused until Storage's agent
  may use its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import msgspec
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.deploy.description import Grant, Kind, Resource, World
from cli.deploy.kinds import ensure
from cli.deploy.policies import ensure_policy

# Before anything that data rests in; the rest of the grants come last.
_FIRST = ("account", "role", "pool", "provider", "ring", "key")
_WORKERS = 6


class Outcome(msgspec.Struct, frozen=True):
    """How many resources and policies were created, changed, or already as wanted."""

    created: int
    changed: int
    same: int


def apply(api: Api, settings: Settings, world: World, before: Mapping[Kind, Callable[[], None]]) -> Outcome:
    """Make it so. Raises PlaceError naming the first resource that cannot be made.

    `before` is called ahead of the resources of a kind: a function's source has to lie in its bucket first.
    """
    counted: Counter[str] = Counter()
    first = [r for r in world.resources if r.kind in _FIRST]
    rest = [r for r in world.resources if r.kind not in _FIRST]
    on_keys = [g for g in world.grants if "/keyRings/" in g.on]
    others = [g for g in world.grants if "/keyRings/" not in g.on and "/datasets/" not in g.on]
    with ThreadPoolExecutor(_WORKERS) as pool:
        for batch in _batches(first):
            counted.update(pool.map(lambda r: ensure(api, world.project, r), batch))
        counted.update(pool.map(lambda p: _policy(api, settings, world, p), _by_resource(on_keys)))
        for batch in _batches(rest):
            before.get(batch[0].kind, _nothing)()
            counted.update(pool.map(lambda r: ensure(api, world.project, r), batch))
        resolved = _with_writers(api, world, others)
        counted.update(pool.map(lambda p: _policy(api, settings, world, p), _by_resource(resolved)))
    return Outcome(created=counted["created"], changed=counted["changed"], same=counted["same"])


def _nothing() -> None:
    """Before most kinds there is nothing to do."""


def _batches(resources: Iterable[Resource]) -> Iterator[list[Resource]]:
    """Resources of one kind in a row do not depend on each other."""
    for _, batch in groupby(resources, key=lambda resource: resource.kind):
        yield list(batch)


def _by_resource(grants: Iterable[Grant]) -> list[list[Grant]]:
    ordered = sorted(grants, key=lambda grant: grant.on)
    return [list(group) for _, group in groupby(ordered, key=lambda grant: grant.on)]


def _policy(api: Api, settings: Settings, world: World, grants: list[Grant]) -> str:
    ours = (
        f"serviceAccount:{settings.deployment}-",
        f"principalSet://iam.googleapis.com/{names.pool(settings)}/",
    )
    on = grants[0].on
    audits = world.audits if on == f"projects/{world.project}" else ()
    return "changed" if ensure_policy(api, on, grants, ours, audits) else "same"


def _with_writers(api: Api, world: World, grants: list[Grant]) -> list[Grant]:
    """The same grants with `writer-of:SINK` replaced by the identity that the sink was given."""
    resolved = []
    for grant in grants:
        kind, _, sink = grant.member.partition(":")
        if kind != "writer-of":
            resolved.append(grant)
            continue
        told = api.get("logging", f"/v2/projects/{world.project}/sinks/{sink}")
        resolved.append(msgspec.structs.replace(grant, member=str(told["writerIdentity"])))
    return resolved
