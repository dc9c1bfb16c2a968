"""Find what outlived its run, and start its teardown; start a following attempt that is missing.

Two searches: runs that were claimed and never closed, whose workflow has ended (it failed, somebody cancelled
it) or that are past their end; and resources under this deployment's names and labels whose run is closed,
unknown, or ended. A checkpoint is such a resource once it is past its life. Nothing is deleted here. A run
that no workflow closes any more is closed by the same execution that tears it down; if its workflow had
begun to, in that workflow's own words, so that what it kept for the next attempt is kept.

A closed run of which something stands, late or by a listing that lags, is torn down once more in its own
words: the checkpoint that it keeps stays within its life. One of which nothing stands may name the attempt
that follows by itself. Its workflow starts it; what nobody has claimed is started here, as long as that
checkpoint lives. Started twice, it runs once: the claim decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from sealtrain.rules import names, proof
from sealtrain.rules.errors import InvalidRequestError, NotFoundError, SealtrainError
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Claim, later, run_of

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.executions import Executions
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.storage import Storage

GOING_ON = frozenset({"ACTIVE", "QUEUED"})
UNADMITTED = timedelta(hours=1)
"""How long a claimed run may be without an admitted job: it has made nothing yet."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked: a sweep looks at everything."""


class Result(msgspec.Struct, frozen=True):
    """How many runs were looked at, which are torn down, and which attempts were missing and are started."""

    looked_at: int
    asked_for: tuple[str, ...]
    count: int
    started: tuple[str, ...] = ()


class _End(msgspec.Struct, frozen=True):
    """Why a run has to end, and whether its own workflow is there to close it."""

    reason: str
    orphan: bool


class _Asked(msgspec.Struct, frozen=True):
    """What is read of a request of teardown."""

    reason: str


def sweep(
    request: Request,  # noqa: ARG001  # it says only that it is time
    *,
    storage: Storage,
    kms: Kms,
    compute: Compute,
    executions: Executions,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Start one teardown per run that has to end, and each attempt that is missing."""
    in_state = [one.name for one in storage.list(names.state_bucket(settings), "runs/")]
    evidence = storage.list(names.evidence_bucket(settings), "runs/")
    in_evidence = [one.name for one in evidence]
    claimed, closed = _runs(in_state, "/claim.json"), _runs(in_evidence, "/closed.json")
    left_over = set(_left_over(storage, settings, clock()))
    standing = {*_standing(storage, kms, compute, settings), *left_over}
    asked: list[str] = []
    for run in sorted(standing | claimed - closed):
        if run in closed:
            keeps = run not in left_over and _had_ended(run, storage, settings)
            again = proof.RUN_ENDED if keeps else "something stands that the closed run made"
            end: _End | None = _End(again, orphan=False)
        else:
            end = _end(run, storage, executions, settings, clock())
        if end is not None:
            _tear_down(run, end, executions, settings)
            asked.append(run)
    lately = [one.name for one in evidence if not _is_past(one.created, clock())]
    may_go_on = _runs(lately, "/closed.json") - standing - _runs(in_state, "/stopped.json")
    started = [
        following
        for run, following in _announced(in_evidence)
        if run in may_go_on and following not in claimed
        if _go_on(run, following, storage, executions, settings)
    ]
    return Result(len(claimed | standing), tuple(asked), len(asked), tuple(started))


def _tear_down(run: str, end: _End, executions: Executions, settings: Settings) -> None:
    reason = end.reason if end.reason == proof.RUN_ENDED else f"swept: {end.reason}"
    argument: dict[str, Any] = {"run": run, "reason": reason}
    if end.orphan:
        argument["failure"] = {"code": proof.WORKFLOW_ENDED}
    executions.start(names.workflow(settings, names.WORKFLOW_TEAR_DOWN), argument)


def _go_on(run: str, following: str, storage: Storage, executions: Executions, settings: Settings) -> bool:
    """Start the attempt that follows, unless it was claimed since; whether it was started."""
    state = names.state_bucket(settings)
    try:
        upload = later(parse(storage.get(state, names.claim(run)), Claim, "the claim").upload)
    except SealtrainError:
        return False  # it names no upload
    if run_of(upload) != following or storage.stat(state, names.claim(following)) is not None:
        return False
    executions.start(names.workflow(settings, names.WORKFLOW_TRAIN), msgspec.to_builtins(upload))
    return True


def _announced(in_evidence: list[str]) -> Iterator[tuple[str, str]]:
    """Give each run that names an attempt which follows it, and that attempt's run."""
    for name in in_evidence:
        run, _, rest = name.removeprefix("runs/").partition("/")
        if rest.endswith(names.NEXT) and names.RUN_ID.fullmatch(rest.removesuffix(names.NEXT)):
            yield run, rest.removesuffix(names.NEXT)


def _runs(listed: list[str], ending: str) -> set[str]:
    found = (name.split("/") for name in listed if name.endswith(ending))
    return {parts[1] for parts in found if len(parts) == 3 and names.RUN_ID.fullmatch(parts[1])}


def _standing(storage: Storage, kms: Kms, compute: Compute, settings: Settings) -> Iterator[str]:
    """Give the runs of which something stands, by label or by derived name."""
    deployment = f"sealtrain-deployment={settings.deployment}"
    for instance in compute.list("instance", label=deployment):
        yield from _run_ids(instance.labels.get(proof.RUN_LABEL, ""))
    prefix = names.machine_prefix(settings)
    for kind in ("group", "template", "reservation"):
        for one in compute.list(kind, prefix=prefix):
            yield from _run_ids(one.name.removeprefix(f"{settings.deployment}-"))
    for bucket in storage.list_buckets(names.sealed_bucket_prefix(settings)):
        yield from _run_ids("r" + bucket.name.removeprefix(names.sealed_bucket_prefix(settings)))
    for key in kms.list_keys(names.key_ring(settings, "release")):
        if key.primary_state not in proof.DESTROYED:
            yield from _run_ids(key.name.rpartition("/")[2])


def _left_over(storage: Storage, settings: Settings, now: datetime) -> Iterator[str]:
    """Give the runs of which a checkpoint stands that no attempt goes on from any more."""
    for one in storage.list(names.checkpoints_bucket(settings)):
        if _is_past(one.created, now):
            yield from _run_ids(one.name.partition("/")[0])


def _is_past(created: str, now: datetime) -> bool:
    """Whether a checkpoint of this time, or one that a run closed then has left, is past its life."""
    return now - datetime.fromisoformat(created) > timedelta(days=proof.CHECKPOINT_DAYS)


def _run_ids(text: str) -> Iterator[str]:
    if names.RUN_ID.fullmatch(text):
        yield text


def _end(
    run: str, storage: Storage, executions: Executions, settings: Settings, now: datetime
) -> _End | None:
    """Why a run that is not closed has to end; None while its workflow is at it, and in time."""
    state = names.state_bucket(settings)
    claimed, job = storage.find(state, names.claim(run)), storage.find(state, names.job(run))
    if claimed is None:
        return _End("something stands under the name of a run that nobody claimed", orphan=False)
    try:
        claim = parse(claimed, Claim, "the claim")
        ends = datetime.fromisoformat(claim.claimed_at) + UNADMITTED
        if job is not None:
            ends = datetime.fromtimestamp(parse(job, FrozenJob, "the job").expires, UTC)
        late = now > ends
    except (SealtrainError, ValueError, TypeError):
        return _End("the run's records cannot be read", orphan=True)  # they must not keep a machine alive
    ended = _ended(claim.execution, executions, settings)
    if ended and ended != "CANCELLED" and _had_ended(run, storage, settings):
        return _End(proof.RUN_ENDED, orphan=True)
    if late:
        return _End("the run is past its end and was never closed", orphan=bool(ended))
    if ended and job is not None:  # without a job nothing was made, and a refusal is told in the inbox
        return _End(f"the run's workflow has ended without closing it: {ended}", orphan=True)
    return None


def _had_ended(run: str, storage: Storage, settings: Settings) -> bool:
    """Whether the run's own workflow had come to its end, and begun the teardown."""
    asked = storage.find(names.state_bucket(settings), names.teardown(run))
    try:
        return asked is not None and parse(asked, _Asked, "teardown.json").reason == proof.RUN_ENDED
    except SealtrainError:
        return False


def _ended(execution: str, executions: Executions, settings: Settings) -> str:
    """How the run's workflow ended; empty while it goes on."""
    name = f"{names.workflow(settings, names.WORKFLOW_TRAIN)}/executions/{execution}"
    try:
        found = executions.get(name).state
    except (NotFoundError, InvalidRequestError):
        return "there is no such execution"
    return "" if found in GOING_ON else found
