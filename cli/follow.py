"""Waits for the end of a run, or of the attempts that follow it by themselves, and tells each phase.

- Bounded in time; on a time-out the phase that was waited for and the last error are named.
- A run that a failed execution left without an end is reported as failed, not waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, later, run_of

from cli import execution, run_records
from cli.api import Api
from cli.errors import TimeoutReachedError
from cli.progress import Phase, Progress

_LOCAL_POLL_S = 0.25
_POLL_S = 5.0
_GRACE_S = 20.0  # between the end of an execution and the last record of its run


def follow(
    api: Api, settings: Settings, upload: Upload, within_s: float, reached: Callable[[Phase], None]
) -> Progress:
    """The last run's progress at its end. Raises TimeoutReachedError."""
    run = run_of(upload)
    told: set[str] = set()
    deadline = time.monotonic() + within_s
    failed_at = None
    while True:
        found = run_records.progress(api, settings, run)
        for phase in found.phases:
            if phase.time and phase.word not in told:
                told.add(phase.word)
                reached(phase)
        if found.ended and not found.followed_by:
            return found
        if found.ended:
            upload = later(upload)
            run, told, failed_at = run_of(upload), set(), None
            goes_on = f"preempted: attempt {upload.attempt} follows as run {run}"
            reached(Phase("go_on", goes_on, found.phases[-1].time))
            continue
        now = time.monotonic()
        error = execution.failure(api, settings, upload)
        failed_at = (failed_at or now) if error else None
        if failed_at is not None and now - failed_at > _GRACE_S:
            raise _given_up(found, f"the workflow failed: {error}")
        if now > deadline:
            raise _given_up(found, error or "no error so far", within_s)
        time.sleep(_LOCAL_POLL_S if settings.endpoint else _POLL_S)


def _given_up(found: Progress, error: str, within_s: float | None = None) -> TimeoutReachedError:
    phase = found.waiting_for
    waited = f"{phase.word} ({phase.sentence})" if phase else "its end"
    return TimeoutReachedError(
        f"run {found.run} did not reach {waited}" + (f" within {within_s:.0f} s" if within_s else ""),
        code="timeout" if within_s else "workflow_failed",
        field=phase.word if phase else None,
        got=error,
        remedy=f"`sealtrain logs {found.run}` tells what the functions said",
    )
