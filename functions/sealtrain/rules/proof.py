"""The proof of teardown: every resource of a run, and when and by which query it was seen absent.

Rules enforced here:
- the proof covers what the ledger says was intended or made, and what the inventory found;
- a resource is gone only when a query said so; a delete call that was accepted is not enough;
- a key is gone when each of its versions is scheduled for destruction or destroyed: its name stays, and the
  proof says when the last version is really destroyed;
- what the inventory shows stands, whatever the ledger said before;
- a checkpoint that is left to a later attempt is named in `kept`: it stands, and its storage bills.

Not handled here: the queries and deletes themselves (listeners/tear_down.py).
"""

from collections.abc import Iterable

import msgspec

from sealtrain.rules import names
from sealtrain.rules.ledger import Entry, Kind
from sealtrain.rules.resources import KeyVersion
from sealtrain.rules.settings import Settings

RUN_ENDED = "the run has ended"  # what the workflow gives as reason at its end
WORKFLOW_ENDED = "workflow_ended"  # what is told of a run whose workflow is gone: its records decide
MAKER_S = 90  # no function that makes something runs longer; a test compares the step table
RUN_LABEL = "sealtrain-run"
KEY_GONE = "every version destroyed or scheduled for it"
DESTROYED = frozenset({"DESTROY_SCHEDULED", "DESTROYED"})
DELETE_ORDER = ("instance", "request", "group", "template", "reservation", "bucket", "checkpoint", "key")
WAITS_FOR: dict[Kind, Kind] = {"template": "group", "reservation": "instance", "checkpoint": "instance"}
"""Who needs a resource, or still writes it: until that is gone, it is neither deleted nor seen absent."""
CHECKPOINT_DAYS = 14  # then its bucket's own rule deletes one, and the sweep; a test compares the description

Target = tuple[Kind, str]


class Lifetime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One resource of a run. Times are RFC 3339 in UTC; empty means: not on record."""

    kind: str
    name: str
    intended: str
    created: str
    seen_absent: str
    query: str
    state: str


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was left of a run at a time: nothing, if `left` and `kept` are empty."""

    run: str
    time: str
    resources: tuple[Lifetime, ...]
    inventory_queries: tuple[str, ...]
    left: tuple[str, ...]
    kept: tuple[str, ...] = ()


def lifetimes(entries: Iterable[Entry]) -> tuple[Lifetime, ...]:
    """Give one line per resource in the ledger, in the order in which they were intended."""
    by_name: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        by_name.setdefault((entry.kind, entry.name), {})[entry.phase] = entry
    lines = [_lifetime(kind, name, phases) for (kind, name), phases in by_name.items()]
    return tuple(sorted(lines, key=lambda line: (line.intended or line.created, line.name)))


def targets(entries: Iterable[Entry], found: Iterable[Target]) -> list[Target]:
    """Give what is to be removed, ledger and inventory together, in the order of deletion."""
    wanted: dict[Target, bool] = {}
    for entry in entries:
        target: Target = (entry.kind, entry.name)
        wanted[target] = wanted.get(target, True) and entry.phase != "gone"
    wanted |= dict.fromkeys(found, True)
    todo = [target for target, standing in wanted.items() if standing]
    return sorted(todo, key=lambda target: DELETE_ORDER.index(target[0]))


def prove(
    run: str, time: str, entries: Iterable[Entry], inventory_queries: Iterable[str], kept: Iterable[str]
) -> Proof:
    """Build the proof from a ledger; whatever has no `gone` entry is listed as left."""
    lines = lifetimes(entries)
    return Proof(
        run=run,
        time=time,
        resources=lines,
        inventory_queries=tuple(inventory_queries),
        left=tuple(line.name for line in lines if not line.seen_absent),
        kept=tuple(kept),
    )


def query(kind: Kind, name: str) -> str:
    """Say by which query one resource was seen absent."""
    if kind == "key":
        return f"cloudkms list {name}/cryptoKeyVersions"
    if kind == "checkpoint":
        return f"storage list {name}/"
    return f"{'storage' if kind == 'bucket' else 'compute'} get {name}"


def inventory_queries(settings: Settings, run: str, kept: Iterable[str]) -> tuple[str, ...]:
    """Say by which queries the inventory looked, besides the ledger's own resources."""
    machine, places = names.machine(settings, run), {names.checkpoint_place(settings, run): "none"}
    places |= dict.fromkeys(kept, "kept for the next attempt")
    return (
        f"compute list instances, all zones, label {RUN_LABEL}={run}: none",
        f"compute list groups and reservations, all zones, and templates, name {machine}: none",
        "compute list resize requests of those groups: none",
        f"storage get {names.sealed_bucket(settings, run)}: none",
        *(f"storage list {place}/: {found}" for place, found in places.items()),
        f"cloudkms list versions of {names.run_key(settings, run)}: {KEY_GONE}",
    )


def key_gone(versions: Iterable[KeyVersion]) -> str | None:
    """Say how a key is gone, and until when it could be restored; None while a version can be used."""
    found = list(versions)
    if any(version.state not in DESTROYED for version in found):
        return None
    until = max((v.destroyed_at for v in found if v.state != "DESTROYED"), default="")
    return f"{KEY_GONE}; the last is destroyed at {until}" if until else KEY_GONE


def _lifetime(kind: str, name: str, phases: dict[str, Entry]) -> Lifetime:
    # What was listed and then refused never ran: only its name was there.
    listed = None if "refused" in phases else phases.get("listed")
    gone, created = phases.get("gone"), phases.get("made") or listed
    return Lifetime(
        kind=kind,
        name=name,
        intended=phases["intent"].time if "intent" in phases else "",
        created=created.time if created else "",
        seen_absent=gone.time if gone else "",
        query=str(gone.detail.get("query", "")) if gone else "",
        state=str(gone.detail.get("state", "absent")) if gone else "",
    )
