"""The run's ledger: what was about to be made, what was made, what is gone.

Rules:
- One entry per resource and phase, write-once; intent stands before every create.
- `refused` says that the platform would not make it; `listed`, of a machine only, that the platform shows it
  and may still take it back. An intent with no outcome is open: its maker died, or is still at it.
- An entry stands under the name that its content derives: who may write of keys cannot write of machines.
- An entry repeated must say the same (`listed`, `refused` and `gone` apart: the first stands).
- The tree root is RFC 6962's Merkle tree hash over the canonical JSON of the entries, sorted by
  their object names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, get_args

import msgspec

from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import ConflictError, EvidenceError, InvalidRequestError
from sealtrain.rules.evidence import merkle
from sealtrain.rules.names import ledger_prefix
from sealtrain.rules.parsing import parse

Kind = Literal["key", "bucket", "checkpoint", "template", "group", "request", "reservation", "instance"]
Phase = Literal["intent", "listed", "made", "refused", "gone"]


_ENTRY = re.compile(
    rf"runs/[^/]+/ledger/[^/]+\.({'|'.join(get_args(Kind))})\.({'|'.join(get_args(Phase))})\.json"
)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the ledger. `name` is the resource's full name, `time` RFC 3339 UTC."""

    run: str
    kind: Kind
    name: str
    phase: Phase
    time: str
    by: str
    detail: dict[str, Any] = msgspec.field(default_factory=dict)


def short_name(name: str) -> str:
    """The last part of a full name, and `@zone` for what lives in a zone.

    The same machine name is tried in several zones; each try has its own entries.
    """
    zone = zone_of(name)
    return name.rpartition("/")[2] + (f"@{zone}" if zone else "")


def zone_of(name: str) -> str:
    """The zone in a full name; empty for what lives in none."""
    return name.partition("/zones/")[2].partition("/")[0]


def object_name(run: str, kind: str, name: str, phase: str) -> str:
    """Where an entry stands in the evidence bucket."""
    return f"{ledger_prefix(run)}{short_name(name)}.{kind}.{phase}.json"


def entry_object(entry: Entry) -> str:
    """Where this entry stands in the evidence bucket."""
    return object_name(entry.run, entry.kind, entry.name, entry.phase)


def is_entry(object_name: str) -> bool:
    """Whether an object of this name is an entry; anybody may put others below the prefix."""
    return _ENTRY.fullmatch(object_name) is not None


def parse_entry(data: bytes, object_name: str) -> Entry:
    """Read a stored entry. Raises EvidenceError when it is not one: never taken for a bad request."""
    try:
        entry = parse(data, Entry, "the ledger entry")
    except InvalidRequestError as error:
        raise _tampered("that cannot be read", str(error)) from error
    if entry_object(entry) != object_name:
        raise _tampered("under a name that is not its own", object_name)
    return entry


def _tampered(how: str, got: str) -> EvidenceError:
    return EvidenceError(
        f"the ledger holds an entry {how}",
        field="ledger",
        got=got,
        remedy="treat it as tampering: look at who wrote to the evidence bucket",
    )


def check_same(stored: Entry, wanted: Entry) -> None:
    """Raise ConflictError when a repeated entry tells another story than the stored one."""
    if wanted.phase in {"listed", "refused", "gone"}:
        return
    for field in ("name", "detail"):
        if getattr(stored, field) != getattr(wanted, field):
            raise ConflictError(
                "the ledger already holds another entry for this resource and phase",
                field=f"{wanted.kind}.{short_name(wanted.name)}.{wanted.phase}.{field}",
                got=getattr(wanted, field),
                expected=getattr(stored, field),
                remedy="tear the run down and start another attempt",
            )


def open_intents(entries: Iterable[Entry]) -> set[tuple[Kind, str]]:
    """What was intended and has no outcome yet."""
    found = list(entries)
    known = {(e.kind, e.name) for e in found if e.phase in {"listed", "made", "refused"}}
    return {(e.kind, e.name) for e in found if e.phase == "intent"} - known


def tree_root(entries: Iterable[Entry]) -> str:
    """The RFC 6962 tree hash of the ledger, in hex; of no entries, the hash of nothing."""
    leaves = [dumps(e) for e in sorted(entries, key=entry_object)]
    return merkle.root(leaves).hex()
