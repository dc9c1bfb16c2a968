"""Start the workflow for an upload that is complete. Every object in the inbox fires an event.

The same event twice starts two executions; admit_run lets one of them have the run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import names
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import starts_run

if TYPE_CHECKING:
    from sealtrain.cloud.executions import Executions


class Request(msgspec.Struct, frozen=True):
    """What is used of the storage event; Google adds fields to it, so others are left alone."""

    bucket: str
    name: str
    generation: str


class Result(msgspec.Struct, frozen=True):
    """The execution that was started for the object."""

    run: str
    object: str
    execution: str


def start_run(
    request: Request,
    *,
    executions: Executions,
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # the claim takes the time
) -> Result | None:
    """Start an execution, or nothing for an object that starts no run."""
    if request.bucket != names.inbox_bucket(settings) or not starts_run(request.name):
        return None
    argument = {
        "bucket": request.bucket,
        "object": request.name,
        "generation": request.generation,
        "attempt": 1,
    }
    execution = executions.start(names.workflow(settings, names.WORKFLOW_TRAIN), argument)
    run = names.run_id(request.bucket, request.name, request.generation, 1)
    return Result(run=run, object=request.name, execution=execution)
