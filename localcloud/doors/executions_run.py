"""Running executions: one thread each, on the interpreter, with a journal in the store.

- After a restart every ACTIVE execution begins again from its journal: what had happened is not repeated.
- An execution that was cancelled ends as CANCELLED; one that only lost its process stays ACTIVE.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import Any

from localcloud.doors.executions_host import Journal, Stopped, WorkflowHost
from localcloud.doors.workflows import REVISION
from localcloud.workflows import Cancelled, ExecutionError, compile_source, run
from localcloud.world.cloud import Cloud, on_start, on_stop
from localcloud.world.events import deliver_log

EXECUTION, STEP, CALLBACK = "workflows.execution", "workflows.step", "workflows.callback"

_RUNNING: dict[tuple[int, str], threading.Event] = {}  # (world, execution) -> told to stop
_LOCK = threading.Lock()


def begin(cloud: Cloud, name: str) -> None:
    """Give the execution its thread (once the running transaction has committed)."""
    stop = threading.Event()
    with _LOCK:
        _RUNNING[id(cloud), name] = stop
    threading.Thread(target=_run, args=(cloud, name, stop), name=name[-12:], daemon=True).start()


def cancel_running(cloud: Cloud, name: str) -> None:
    """Tell the execution's thread to stop soon."""
    with _LOCK:
        stop = _RUNNING.get((id(cloud), name))
    if stop is not None:
        stop.set()
    with cloud.clock.changed:
        cloud.clock.changed.notify_all()


@on_start
def take_up(cloud: Cloud) -> None:
    """Go on with every execution that had not ended."""
    for name, body in cloud.store.documents(EXECUTION):
        if body["state"] == "ACTIVE":
            begin(cloud, name)


@on_stop
def let_go(cloud: Cloud) -> None:
    """Stop all threads; the executions stay ACTIVE and go on at the next start."""
    with _LOCK:
        mine = [stop for (world, _), stop in _RUNNING.items() if world == id(cloud)]
    for stop in mine:
        stop.set()
    with cloud.clock.changed:
        cloud.clock.changed.notify_all()


def _run(cloud: Cloud, name: str, stop: threading.Event) -> None:
    try:
        with cloud.store.transaction():  # waits for the call that made the execution
            execution = cloud.store.get(EXECUTION, name)
        if execution is None:
            return
        outcome = _outcome(cloud, execution, stop)
        if outcome is not None:
            _finish(cloud, name, outcome)
    except Exception:
        if not stop.is_set():
            sys.stderr.write(f"{name}:\n{traceback.format_exc()}")
            context = traceback.format_exc(limit=-1)
            failure = {"payload": json.dumps("the stand-in failed"), "context": context}
            _finish(cloud, name, {"state": "FAILED", "error": failure})
    finally:
        with _LOCK:
            _RUNNING.pop((id(cloud), name), None)


def _outcome(cloud: Cloud, execution: dict[str, Any], stop: threading.Event) -> dict[str, Any] | None:
    """The final fields of the execution; None if it was only interrupted."""
    workflow = execution["name"].rpartition("/executions/")[0]
    revision = cloud.store.get(REVISION, f"{workflow}@{execution['workflowRevisionId']}")
    assert revision is not None  # noqa: S101 - written with the workflow
    host = WorkflowHost(cloud, execution, revision, stop)
    try:
        program, journal = compile_source(revision["sourceContents"]), Journal(cloud, execution["name"], host)
        value = run(program, json.loads(execution["argument"]), host, journal)
    except ExecutionError as error:
        return {"state": "FAILED", "error": error.as_google()}
    except (Cancelled, Stopped):
        return None
    return {"state": "SUCCEEDED", "result": json.dumps(value)}


def _finish(cloud: Cloud, name: str, outcome: dict[str, Any]) -> None:
    with cloud.store.transaction():
        execution = cloud.store.get(EXECUTION, name)
        if execution is None or execution["state"] != "ACTIVE":
            return
        execution.update(outcome, endTime=cloud.clock.timestamp())
        execution.pop("status", None)
        cloud.store.put(EXECUTION, name, execution)
        failed = outcome["state"] == "FAILED"
        workflow, context = name.split("/")[5], outcome.get("error", {}).get("context", "")
        entry = {
            "logName": f"projects/{cloud.project}/logs/workflows.googleapis.com%2Fexecutions_system",
            "resource": {"type": "workflows.googleapis.com/Workflow", "labels": {"workflow_id": workflow}},
            "severity": "ERROR" if failed else "INFO",
            "labels": {"workflows.googleapis.com/execution_id": name.rpartition("/")[2]},
            "jsonPayload": {"state": outcome["state"], "exception": context},
        }
        deliver_log(cloud, entry)
