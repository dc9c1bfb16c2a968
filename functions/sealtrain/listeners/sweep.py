"""Find what outlived its run, and ask for its teardown. The net below the workflow.

Two searches: runs that were claimed, never closed, and are past their end; and resources under this
deployment's names and labels whose run is closed, unknown, or past its end. Nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import canonical, names, proof
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Claim

if TYPE_CHECKING:
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.pubsub import PubSub
    from sealtrain.cloud.storage import Storage

UNADMITTED = timedelta(hours=1)
"""How long a claimed run may be without an admitted job: it has made nothing yet."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked: a sweep looks at everything."""


class Result(msgspec.Struct, frozen=True):
    """How many runs were looked at, and for which a teardown was asked."""

    looked_at: int
    asked_for: tuple[str, ...]
    count: int


def sweep(
    request: Request,  # noqa: ARG001  # it says only that it is time
    *,
    storage: Storage,
    kms: Kms,
    compute: Compute,
    pubsub: PubSub,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Publish one teardown request per run that has to end."""
    claimed = _runs(storage, names.state_bucket(settings), "/claim.json")
    closed = _runs(storage, names.evidence_bucket(settings), "/closed.json")
    proved = _runs(storage, names.evidence_bucket(settings), "/proof.json")
    standing = set(_standing(storage, kms, compute, settings))
    reasons: dict[str, str] = {}
    for run in sorted(claimed | standing):
        if run not in standing and run in closed | proved:
            continue
        if run in closed:
            reasons[run] = "something stands that the closed run made"
        elif clock() > _end(run, storage, settings):
            reasons[run] = "the run is past its end and was never closed"
    for run, reason in reasons.items():
        message = canonical.dumps({"run": run, "reason": f"swept: {reason}"})
        pubsub.publish(names.topic(settings, "teardown-requests"), message)
    return Result(looked_at=len(claimed | standing), asked_for=tuple(reasons), count=len(reasons))


def _runs(storage: Storage, bucket: str, ending: str) -> set[str]:
    found = (one.name.split("/") for one in storage.list(bucket, "runs/") if one.name.endswith(ending))
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


def _run_ids(text: str) -> Iterator[str]:
    if names.RUN_ID.fullmatch(text):
        yield text


def _end(run: str, storage: Storage, settings: Settings) -> datetime:
    """Give the time from which the run counts as forgotten; for an unknown run, long ago."""
    state = names.state_bucket(settings)
    job, claim = storage.find(state, names.job(run)), storage.find(state, names.claim(run))
    try:
        if job is not None:
            return datetime.fromtimestamp(parse(job, FrozenJob, "the job").expires, UTC)
        if claim is not None:
            return datetime.fromisoformat(parse(claim, Claim, "the claim").claimed_at) + UNADMITTED
    except (SealtrainError, ValueError):
        return datetime.min.replace(tzinfo=UTC)  # A broken record must not keep a machine alive.
    return datetime.min.replace(tzinfo=UTC)
