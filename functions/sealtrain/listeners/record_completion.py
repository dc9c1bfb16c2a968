"""Keep what a workload said at its end, once; then wake the workflow that waits for it.

The message is the workload's word about itself: it wakes, it proves nothing (publish_model checks the
receipt). A repeated message wakes again; a different later one does not replace the first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from sealtrain.rules import canonical, names, records
from sealtrain.rules.errors import AlreadyExistsError, NotFoundError, RefusedError
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Claim

if TYPE_CHECKING:
    from sealtrain.cloud.executions import Executions
    from sealtrain.cloud.storage import Storage


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the workload ended; `reason` is one word and holds no data."""

    run: str
    state: Literal["succeeded", "failed"]
    reason: str = ""
    receipt_digest: str | None = None
    signature: str = ""


class Result(msgspec.Struct, frozen=True):
    """What was kept for the run, and whether a workflow was woken."""

    run: str
    state: str
    recorded: Literal["first", "repeated", "contradicted"]
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
    kept, recorded = _keep(request, storage, settings, clock)
    callback = parse(found, Claim, "the claim").callback_url
    woken = recorded != "contradicted" and _wake(executions, callback, kept)
    return Result(run=run, state=kept.state, recorded=recorded, woken=woken)


def _keep(
    request: Request, storage: Storage, settings: Settings, clock: Callable[[], datetime]
) -> tuple[records.Completion, Literal["first", "repeated", "contradicted"]]:
    bucket, name = names.state_bucket(settings), names.completion(request.run)
    wanted = records.Completion(
        run=request.run,
        state=request.state,
        reason=request.reason[:200],
        receipt_digest=request.receipt_digest,
        time=clock().isoformat(),
    )
    try:
        storage.create(bucket, name, canonical.dumps(wanted))
    except AlreadyExistsError:
        kept = records.parse(storage.get(bucket, name), records.Completion, "completion.json")
        same = msgspec.structs.replace(wanted, time=kept.time) == kept
        return kept, "repeated" if same else "contradicted"
    return wanted, "first"


def _wake(executions: Executions, callback: str, kept: records.Completion) -> bool:
    if not callback:
        return False
    try:
        executions.post_callback(callback, {"run": kept.run, "state": kept.state})
    except NotFoundError:
        return False  # The workflow does not wait any more: its poll saw the end first.
    return True
