"""Remove everything a run made, in one pass; once all of it was seen absent, write the proof.

What the run made is its ledger and whatever the inventory shows under the run's own names. Called
again until it succeeds: NotReadyError means that something still stood at the end of this pass.

- What others still need is deleted after them: template after group, reservation after instance.
- A refused delete is a problem to tell, not the end of the pass: the rest is still removed.
- "Gone" goes to the ledger only after a query of this pass showed it, and only once its maker cannot be at
  work any more: its outcome is on the ledger, or the request of teardown is older than a maker may run.
- What a run did not make (the owner's upload, the model, the evidence) is never touched.
- A record that cannot be read keeps nothing alive: the pass goes on without it, and tells so.
- A checkpoint belongs to the attempt that left it, and then to the one whose machine goes on from it. The
  newest one of a run that was preempted stays for the next attempt; every other end removes them all.
- Preempted is a run whose machine said so before any end was asked for: the delete of a teardown signals the
  machine in the same way. Kept is what its signed word names, and only if it was trusted to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import canonical, names, proof, records
from sealtrain.rules.checkpoints import was_trusted
from sealtrain.rules.cost import seconds_between
from sealtrain.rules.errors import (
    AlreadyExistsError,
    EvidenceError,
    InvalidRequestError,
    NotReadyError,
    SealtrainError,
)
from sealtrain.rules.ledger import Kind, open_intents, short_name
from sealtrain.rules.order import parse_order
from sealtrain.rules.resources import ObjectInfo
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.storage import Storage


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run, and why it is torn down (the first reason given stands)."""

    run: str
    reason: str = "asked for; no reason was given"


class Result(msgspec.Struct, frozen=True):
    """Where the proof stands (empty: there never was such a run), how much it covers, what went wrong."""

    run: str
    proof: str
    resources: int
    problems: tuple[str, ...] = ()


class _Checkpoints(msgspec.Struct, frozen=True):
    """The runs whose checkpoints this run removes, and those whose it leaves to a later attempt."""

    removed: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def places_kept(self, settings: Settings) -> list[str]:
        return [names.checkpoint_place(settings, run) for run in self.kept]


def tear_down(
    request: Request,
    *,
    storage: Storage,
    kms: Kms,
    compute: Compute,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Remove what stands and prove what is gone. Raises NotReadyError until nothing is left."""
    run = names.checked_run_id(request.run)
    checkpoints, problems = _Checkpoints(removed=(run,)), []
    try:
        checkpoints = _checkpoints(request, storage, ledger, settings)
    except (EvidenceError, InvalidRequestError) as error:
        problems.append(str(error))
    pass_ = _Pass(run, storage, kms, compute, settings, checkpoints.removed, problems)
    found = list(pass_.inventory())
    claimed = storage.stat(names.state_bucket(settings), names.claim(run)) is not None
    if not (claimed or found or ledger.entries(run)):
        return Result(run=run, proof="", resources=0)
    asked_at = _ask(request, storage, settings, clock())
    entries = ledger.entries(run)  # only after the request stands: cloud/ledger.py says why
    if seconds_between(asked_at, clock().isoformat()) <= proof.MAKER_S:
        pass_.open = open_intents(entries)
    pass_.remove(proof.targets(entries, found), ledger)
    # Looked at once more only when this pass left nothing: else the answer is known.
    left = list(pass_.left) or [name for _, name in pass_.inventory()]
    if left:
        raise NotReadyError(
            "the run's resources are not all gone yet",
            field="run",
            got="; ".join([f"standing: {', '.join(left)}", *pass_.problems]),
            expected="nothing",
            remedy="ask again; the sweeper does so too",
        )
    kept = [place for place in checkpoints.places_kept(settings) if pass_.stands("checkpoint", place)]
    evidence, queries = names.evidence_bucket(settings), proof.inventory_queries(settings, run, kept)
    record = proof.prove(run, clock().isoformat(), ledger.entries(run), queries, kept)
    with suppress(AlreadyExistsError):  # the first proof stands
        storage.create(evidence, names.proof(run), canonical.dumps(record))
    return Result(
        run=run,
        proof=names.gs(evidence, names.proof(run)),
        resources=len(record.resources),
        problems=tuple(pass_.problems),
    )


def _ask(request: Request, storage: Storage, settings: Settings, now: datetime) -> str:
    """Write the request of teardown, which stops every maker; give the time of the one that stands.

    A later one, for a reason of its own, stops the attempt that would follow on a preempted run by itself.
    """
    state, name = names.state_bucket(settings), names.teardown(request.run)
    asked = {"run": request.run, "reason": request.reason[:200], "time": now.isoformat()}
    try:
        storage.create(state, name, canonical.dumps(asked))
    except AlreadyExistsError:  # the first reason stands
        first = canonical.loads(storage.get(state, name))
        ended_itself = first["reason"] == proof.RUN_ENDED != request.reason
        if ended_itself and _said_preempted(request.run, storage, state):
            with suppress(AlreadyExistsError):
                storage.create(state, names.stopped(request.run), canonical.dumps(asked))
        asked = first
    return asked["time"]


def _said_preempted(run: str, storage: Storage, state: str) -> bool:
    said = storage.find(state, names.completion(run))
    if said is None:
        return False
    try:
        return records.parse(said, records.Completion, "completion.json").reason == "preempted"
    except EvidenceError:
        return False  # nothing follows on a word that cannot be read


def _checkpoints(request: Request, storage: Storage, ledger: Ledger, settings: Settings) -> _Checkpoints:
    """Say whose checkpoints go and whose stay. Raises EvidenceError for a record that cannot be read."""
    run = request.run
    order = storage.find(names.state_bucket(settings), names.order(run))
    resume = parse_order(order).checkpoint.resume if order is not None else None
    older = (resume.run,) if resume else ()
    if older and not any(one.kind == "instance" and one.phase == "made" for one in ledger.entries(run)):
        return _Checkpoints(removed=(run,), kept=older)  # no machine ever went on from it
    last = _preempted(request, storage, settings)
    if last is None:
        return _Checkpoints(removed=(run, *older))
    own = storage.list(names.checkpoints_bucket(settings), names.checkpoint_prefix(run))
    if last.left_digest and any(one.name == names.checkpoint_manifest(run) for one in own):
        return _Checkpoints(removed=older, kept=(run,))
    return _Checkpoints(removed=(run,), kept=older)


def _preempted(request: Request, storage: Storage, settings: Settings) -> records.Completion | None:
    """The last word of a machine that was trusted to its end and preempted before any end was asked for."""
    state, completion = names.state_bucket(settings), names.completion(request.run)
    said, asked = storage.stat(state, completion), storage.stat(state, names.teardown(request.run))
    if said is None or request.reason != proof.RUN_ENDED:
        return None
    if asked is not None:
        why = records.plain(storage.get(state, asked.name), "teardown.json").get("reason")
        if why != proof.RUN_ENDED or seconds_between(asked.created, said.created):
            return None
    last = records.parse(storage.get(state, completion), records.Completion, "completion.json")
    evidence = names.evidence_bucket(settings)
    trusted = was_trusted(
        request.run,
        lambda prefix: [one.name for one in storage.list(evidence, prefix)],
        lambda name: storage.find(evidence, name),
    )
    return last if last.reason == "preempted" and trusted else None


class _Pass:
    """One pass over one run's resources: see, delete, see absent, kind by kind."""

    def __init__(
        self,
        run: str,
        storage: Storage,
        kms: Kms,
        compute: Compute,
        settings: Settings,
        checkpoints: Iterable[str],
        problems: Iterable[str],
    ) -> None:
        self._run = run
        self._checkpoints = tuple(checkpoints)
        self._storage = storage
        self._kms = kms
        self._compute = compute
        self._settings = settings
        self.left: dict[str, Kind] = {}
        self.open: set[tuple[Kind, str]] = set()
        self.problems = [*problems]

    def inventory(self) -> Iterator[proof.Target]:
        """Give what stands now under the run's names and label."""
        s, run = self._settings, self._run
        wanted = names.machine(s, run)
        for one in self._compute.list("instance", label=f"{proof.RUN_LABEL}={run}"):
            yield "instance", f"projects/{s.project}/zones/{one.zone}/instances/{one.name}"
        for group in self._compute.list("group", prefix=wanted):
            if group.name == wanted:
                full = names.group(s, run, group.zone)
                yield "group", full
                for request in self._compute.list_requests(full):
                    yield "request", f"{full}/resizeRequests/{request.name}"
        if any(one.name == wanted for one in self._compute.list("template", prefix=wanted)):
            yield "template", names.template(s, run)
        for reservation in self._compute.list("reservation", prefix=wanted):
            if reservation.name == wanted:
                yield "reservation", names.reservation(s, run, reservation.zone)
        targets: tuple[proof.Target, ...] = (
            ("bucket", names.sealed_bucket(s, run)),
            ("key", names.run_key(s, run)),
            *(("checkpoint", names.checkpoint_place(s, each)) for each in self._checkpoints),
        )
        yield from (target for target in targets if self.stands(*target))

    def stands(self, kind: Kind, name: str) -> bool:
        """Whether a query shows the resource now."""
        return self._absence(kind, name) is None

    def remove(self, todo: list[proof.Target], ledger: Ledger) -> None:
        """Delete what stands; what is absent goes to the ledger, the rest to `left`."""
        for kind, name in todo:
            if proof.WAITS_FOR.get(kind) in self.left.values():
                self.left[name] = kind
                continue
            state = None
            try:
                state = self._absence(kind, name)
                if state is None:
                    self._delete(kind, name)
                    state = self._absence(kind, name)
            except SealtrainError as error:
                self.problems.append(str(error))
            if (kind, name) in self.open:
                self.problems.append(f"may still be made: {short_name(name)}")
            if state is None or (kind, name) in self.open:
                self.left[name] = kind
            else:
                ledger.gone(self._run, kind, name, {"query": proof.query(kind, name), "state": state})

    def _absence(self, kind: Kind, name: str) -> str | None:
        """Say how a resource is absent, or None while it stands."""
        if kind == "key":
            if self._kms.get_key(name) is None:
                return "absent"
            return proof.key_gone(self._kms.list_versions(name))
        if kind == "bucket":
            return "absent" if self._storage.get_bucket(name) is None else None
        if kind == "checkpoint":
            return None if self._objects(name) else "absent"
        return "absent" if self._compute.get(kind, name) is None else None

    def _objects(self, checkpoint: str) -> list[ObjectInfo]:
        bucket, _, prefix = checkpoint.partition("/")
        return list(self._storage.list(bucket, f"{prefix}/"))

    def _delete(self, kind: Kind, name: str) -> None:
        if kind == "key":
            for version in self._kms.list_versions(name):
                if version.state not in proof.DESTROYED:
                    self._kms.destroy_version(version.name)
        elif kind == "bucket":
            for each in self._storage.list(name):
                self._storage.delete(name, each.name)
            self._storage.delete_bucket(name)
        elif kind == "checkpoint":
            for each in self._objects(name):
                self._storage.delete(each.bucket, each.name)
        else:
            self._compute.delete(kind, name)
