"""Keep what a workload said at its end, once; then wake the workflow that waits for it.

All VMs may write to this topic, so a message counts only with a signature by the key that the run's token
binds; submit_job reads it only once that token was accepted. Any other message, and that of a workload
that failed before it attested, is dropped and wakes nobody: each waking costs the workflow some of the steps
it may take. A repeated message wakes again, as the first waking may have failed; a different later one
neither wakes nor replaces the first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from sealtrain.rules import canonical, names, records
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError, NotFoundError, RefusedError
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Claim

if TYPE_CHECKING:
    from sealtrain.cloud.executions import Executions
    from sealtrain.cloud.storage import Storage


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the workload ended; `reason` is one word and holds no data. The rest: rules/records.py."""

    run: str
    state: Literal["succeeded", "failed"]
    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""
    left_digest: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    signature: Annotated[str, msgspec.Meta(max_length=200)] = ""


Recorded = Literal["first", "repeated", "contradicted", "not_signed"]


class Result(msgspec.Struct, frozen=True):
    """What became of the message, and whether a workflow was woken."""

    run: str
    state: str
    recorded: Recorded
    woken: bool


def record_completion(
    request: Request,
    *,
    storage: Storage,
    executions: Executions,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Record the completion and post the callback. Raises RefusedError for an unknown run."""
    run = names.checked_run_id(request.run)
    found = storage.find(names.state_bucket(settings), names.claim(run))
    if found is None:
        raise RefusedError(
            "no such run was ever claimed",
            code="unknown_run",
            field="run",
            got=run,
            expected="a run of this deployment",
            remedy="nothing: the message is dropped",
        )
    said = records.Completion(
        run=run,
        state=request.state,
        reason=request.reason,
        left_digest=request.left_digest,
        signature=request.signature,
        time=clock().isoformat(),
    )
    recorded: Recorded = "not_signed"
    if _is_signed(said, storage, settings):
        recorded = _keep(said, storage, settings)
    callback = parse(found, Claim, "the claim").callback_url
    woken = recorded in ("first", "repeated") and _wake(executions, callback, run)
    return Result(run=run, state=request.state, recorded=recorded, woken=woken)


def _is_signed(said: records.Completion, storage: Storage, settings: Settings) -> bool:
    """Whether the key beside the run's token signed the message."""
    shown = storage.find(names.evidence_bucket(settings), names.token(said.run))
    if shown is None:
        return False
    try:
        said.check(records.parse(shown, records.TokenRecord, "token.json"))
    except EvidenceError:
        return False
    return True


def _keep(said: records.Completion, storage: Storage, settings: Settings) -> Recorded:
    bucket, name = names.state_bucket(settings), names.completion(said.run)
    try:
        storage.create(bucket, name, canonical.dumps(said))
    except AlreadyExistsError:
        kept = records.parse(storage.get(bucket, name), records.Completion, "completion.json")
        return "repeated" if kept.said() == said.said() else "contradicted"
    return "first"


def _wake(executions: Executions, callback: str, run: str) -> bool:
    if not callback:
        return False
    try:
        executions.post_callback(callback, {"run": run})
    except NotFoundError:
        return False  # The workflow does not wait any more: its poll saw the end first.
    return True
