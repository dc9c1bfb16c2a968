"""Workflow executions: starting, reading, cancelling; their history; their callbacks.

An execution is a document from the moment the call returns. `executions_run` gives it a thread, now and after
each restart, until its state is final.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from localcloud.doors import Answer, Call, Json, door, require
from localcloud.doors.errors import ApiError, failed_precondition, invalid, not_found
from localcloud.doors.executions_run import CALLBACK, EXECUTION, STEP, begin, cancel_running
from localcloud.doors.paging import page
from localcloud.doors.payload import parse_json
from localcloud.doors.workflows import get_workflow
from localcloud.server import Environ, authenticate, special
from localcloud.world.cloud import Cloud

ARGUMENT_LIMIT_BYTES = 32 * 1024
_API = "workflowexecutions.projects.locations.workflows.executions."


@door(_API + "create", "workflows.executions.create")
def create(cloud: Cloud, call: Call) -> Json:
    """Start an execution of the workflow's current revision."""
    workflow = get_workflow(cloud, call.params["parent"])
    argument = call.body.get("argument", "null")
    if len(argument.encode()) > ARGUMENT_LIMIT_BYTES:
        raise invalid(f"argument: got {len(argument.encode())} bytes, at most {ARGUMENT_LIMIT_BYTES}")
    try:
        parse_json(argument)
    except ApiError as error:
        raise invalid(f"argument: not JSON: {error.message}") from error
    now = cloud.clock.timestamp()
    execution = {
        "name": f"{workflow['name']}/executions/{uuid.uuid4()}",
        "createTime": now,
        "startTime": now,
        "state": "ACTIVE",
        "argument": argument,
        "workflowRevisionId": workflow["revisionId"],
        "callLogLevel": call.body.get("callLogLevel", "CALL_LOG_LEVEL_UNSPECIFIED"),
        "labels": call.body.get("labels", {}),
    }
    cloud.store.put(EXECUTION, execution["name"], execution)
    begin(cloud, execution["name"])
    return execution


@door(_API + "get", "workflows.executions.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One execution."""
    return _execution(cloud, call.params["name"])


@door(_API + "list", "workflows.executions.list")
def list_(cloud: Cloud, call: Call) -> Json:
    """Executions of a workflow, newest first; the basic view leaves argument and result out."""
    rows = cloud.store.documents(EXECUTION, call.params["parent"] + "/executions/")
    executions = sorted((body for _, body in rows), key=lambda body: str(body["createTime"]), reverse=True)
    if call.params.get("view") != "FULL":
        hidden = ("argument", "result", "error")
        executions = [{k: v for k, v in body.items() if k not in hidden} for body in executions]
    return page(call, "executions", [(f"{i:09d}", body) for i, body in enumerate(executions)])


@door(_API + "cancel", "workflows.executions.cancel")
def cancel(cloud: Cloud, call: Call) -> Json:
    """Stop an execution; no `except` of the workflow sees it."""
    execution = _execution(cloud, call.params["name"])
    if execution["state"] != "ACTIVE":
        raise failed_precondition(f"the execution is {execution['state']}, only ACTIVE ones can be cancelled")
    execution.update(state="CANCELLED", endTime=cloud.clock.timestamp())
    cloud.store.put(EXECUTION, execution["name"], execution)
    cancel_running(cloud, execution["name"])
    return execution


@door(_API + "stepEntries.list", "workflows.stepEntries.list")
def steps(cloud: Cloud, call: Call) -> Json:
    """The history: one entry per passing of a step, in order of start."""
    _execution(cloud, call.params["parent"])
    rows = [body for _, body in cloud.store.documents(STEP, call.params["parent"] + "/stepEntries/")]
    rows.sort(key=lambda body: int(body["entryId"]))
    answer = page(call, "stepEntries", [(f"{int(body['entryId']):09d}", body) for body in rows])
    return {**answer, "totalSize": len(rows)}


@door(_API + "callbacks.list", "workflows.callbacks.list")
def callbacks(cloud: Cloud, call: Call) -> Json:
    """Callbacks of an execution with what was sent and not read yet."""
    rows = cloud.store.documents(CALLBACK, call.params["parent"] + "/callbacks/")
    shown = [
        (name, {"name": name, "method": body["method"], "availablePayloads": _unread(body)})
        for name, body in rows
    ]
    return page(call, "callbacks", shown)


@special("/v1/projects/")
def receive(cloud: Cloud, environ: Environ) -> Answer | Json | None:
    """A request to a callback's URL; its payload waits until the workflow reads it."""
    name = str(environ["REQUEST_URI"]).partition("?")[0].removeprefix("/v1/")
    if "/callbacks/" not in name:
        return None
    verb = str(environ["REQUEST_METHOD"])
    caller = authenticate(cloud, environ)
    entry = cloud.calls.begin(cloud.clock.timestamp(), "callbacks.send", name, caller.principal)
    try:
        with cloud.store.transaction():
            _receive(cloud, environ, name, verb)
    except ApiError as error:
        entry.status = error.code
        raise
    entry.status = 200
    with cloud.clock.changed:
        cloud.clock.changed.notify_all()
    return {}


def _receive(cloud: Cloud, environ: Environ, name: str, verb: str) -> None:
    callback = cloud.store.get(CALLBACK, name)
    if callback is None:
        raise not_found(f"Resource '{name}'")
    caller = authenticate(cloud, environ)
    asked = Call("callbacks.send", {}, {}, caller, {}, environ["wsgi.input"], 0, name, verb)
    require(cloud, asked, "workflows.callbacks.send", name.rpartition("/executions/")[0])
    execution = cloud.store.get(EXECUTION, name.rpartition("/callbacks/")[0])
    if execution is None or execution["state"] != "ACTIVE":
        raise not_found(f"the execution of '{name}' has ended; it")
    if verb != callback["method"]:
        raise ApiError(405, f"method: got {verb}, expected {callback['method']}")
    callback["payloads"].append(_payload(cloud, environ, verb))
    cloud.store.put(CALLBACK, name, callback)


def _payload(cloud: Cloud, environ: Environ, verb: str) -> dict[str, Any]:
    raw = environ["wsgi.input"].read()
    body: Any = raw.decode("utf-8", "replace") if raw else None
    if raw and "json" in str(environ.get("CONTENT_TYPE", "")):
        body = parse_json(raw)
    request = {"body": body, "method": verb, "url": environ["REQUEST_URI"], "query": {}, "headers": {}}
    return {"http_request": request, "received_time": cloud.clock.timestamp(), "type": "HTTP"}


def _unread(callback: Json) -> list[str]:
    return [json.dumps(one["http_request"]["body"]) for one in callback["payloads"][callback["read"] :]]


def _execution(cloud: Cloud, name: str) -> Json:
    found = cloud.store.get(EXECUTION, name)
    if found is None:
        raise not_found(f"Resource '{name}'")
    return found
