"""What one execution asks of the world: requests with the workflow's identity, time, callbacks, history."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import replace
from typing import Any

from localcloud.workflows import (
    Cancelled,
    HttpRequest,
    HttpResponse,
    StepEntry,
)
from localcloud.workflows.connections import Connections
from localcloud.world.cloud import Cloud
from localcloud.world.events import deliver_log
from localcloud.world.names import resolve

Json = dict[str, Any]
_CALLBACK, _STEP, _JOURNAL = "workflows.callback", "workflows.step", "workflows.journal"


class Stopped(BaseException):
    """The stand-in stops; the execution goes on after its next start. No handler of the engine may see it."""


class Journal:
    """The record of one execution's effects, in the store."""

    def __init__(self, cloud: Cloud, execution: str, host: WorkflowHost) -> None:
        self._cloud, self._execution, self._host = cloud, execution, host

    def get(self, key: str) -> Json | None:
        """The entry under the key, or None."""
        return self._cloud.store.get(_JOURNAL, f"{self._execution}|{key}")

    def put(self, key: str, value: Json) -> None:
        """Record an entry; a callback's payload counts as read with it, never before."""
        with self._cloud.store.transaction():
            self._cloud.store.put(_JOURNAL, f"{self._execution}|{key}", value)
            self._host.settle()


class WorkflowHost:
    """The world outside one execution (the engine's `Host`)."""

    records_steps = True

    def __init__(self, cloud: Cloud, execution: Json, workflow: Json, stop: threading.Event) -> None:
        self._cloud, self._name, self._stop = cloud, str(execution["name"]), stop
        self._account = str(workflow.get("serviceAccount", "")).rpartition("/")[2]
        self._connections = Connections()
        self._per_thread = threading.local()
        parts = self._name.split("/")
        self._env = {
            "GOOGLE_CLOUD_PROJECT_ID": cloud.project,
            "GOOGLE_CLOUD_PROJECT_NUMBER": cloud.number,
            "GOOGLE_CLOUD_LOCATION": parts[3],
            "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": self._account,
            "GOOGLE_CLOUD_WORKFLOW_ID": parts[5],
            "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": str(workflow["revisionId"]),
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": parts[7],
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ATTEMPT": "1",
            **workflow.get("userEnvVars", {}),
        }

    def now(self) -> float:
        return self._cloud.clock.now()

    def sleep_until(self, when: float) -> None:
        if not self._cloud.clock.wait_until(when, self._stop):
            self.check_cancelled()

    def http(self, request: HttpRequest) -> HttpResponse:
        self.check_cancelled()
        headers = {**request.headers, **self._authorization(request)}
        sent = replace(request, url=resolve(self._cloud, request.url))
        try:
            with self._cloud.clock.working():
                return self._connections.send(sent, headers)
        finally:
            self.check_cancelled()

    def _authorization(self, request: HttpRequest) -> dict[str, str]:
        auth = request.auth
        if auth is None:
            return {}
        tokens = self._cloud.tokens
        if auth.get("type") == "OIDC":
            token = tokens.id_token(self._account, auth.get("audience") or request.url)
        else:
            token = tokens.access_token(f"serviceAccount:{self._account}")
        return {"Authorization": f"Bearer {token}"}

    def create_callback(self, method: str) -> Json:
        name = f"{self._name}/callbacks/{uuid.uuid4()}"
        self._cloud.store.put(_CALLBACK, name, {"method": method, "payloads": [], "read": 0})
        return {"url": f"{self._cloud.endpoint}/v1/{name}"}

    def await_callback(self, callback: Json, timeout: float) -> Json | None:
        name = str(callback["url"]).partition("/v1/")[2]
        clock, deadline = self._cloud.clock, self._cloud.clock.now() + timeout
        with clock.awaiting(deadline):
            while True:
                self.check_cancelled()
                body = self._cloud.store.get(_CALLBACK, name)
                if body is not None and len(body["payloads"]) > body["read"]:
                    self._per_thread.taken = name
                    payload: Json = body["payloads"][body["read"]]
                    return payload
                left = deadline - clock.now()
                if left <= 0:
                    return None
                with clock.changed:
                    clock.changed.wait(min(left, 0.25))

    def settle(self) -> None:
        """Count the payload that this thread took as read (part of the journal's transaction)."""
        name = getattr(self._per_thread, "taken", None)
        if name is None:
            return
        self._per_thread.taken = None
        body = self._cloud.store.get(_CALLBACK, name)
        if body is not None:
            body["read"] += 1
            self._cloud.store.put(_CALLBACK, name, body)

    def log(self, severity: str, payload: Any) -> None:
        kind = "jsonPayload" if isinstance(payload, dict) else "textPayload"
        text = payload if isinstance(payload, dict | str) else json.dumps(payload)
        entry = {
            "logName": f"projects/{self._cloud.project}/logs/Workflows",
            "resource": {
                "type": "workflows.googleapis.com/Workflow",
                "labels": {"workflow_id": self._env["GOOGLE_CLOUD_WORKFLOW_ID"]},
            },
            "labels": {"workflows.googleapis.com/execution_id": self._name.rpartition("/")[2]},
            "severity": severity,
            kind: text,
        }
        deliver_log(self._cloud, entry)

    def env(self, name: str) -> str | None:
        return self._env.get(name)

    def new_uuid(self) -> str:
        return str(uuid.uuid4())

    def check_cancelled(self) -> None:
        if not self._stop.is_set():
            return
        execution = self._cloud.store.get("workflows.execution", self._name)
        if execution is not None and execution["state"] == "CANCELLED":
            raise Cancelled
        raise Stopped

    def step_started(self, entry: StepEntry) -> None:
        name = f"{self._name}/stepEntries/{entry.key}"
        store = self._cloud.store
        with store.transaction():
            if store.get(_STEP, name) is None:
                body = {
                    "name": name,
                    "createTime": self._cloud.clock.timestamp(),
                    "routine": entry.routine,
                    "step": entry.step,
                    "stepType": entry.kind,
                    "entryId": str(store.next_number(f"workflows.entry|{self._name}")),
                    "state": "STATE_IN_PROGRESS",
                }
                store.put(_STEP, name, body)

    def step_ended(self, entry: StepEntry, error: Any | None) -> None:
        name = f"{self._name}/stepEntries/{entry.key}"
        store = self._cloud.store
        with store.transaction():
            body = store.get(_STEP, name)
            if body is None or body["state"] != "STATE_IN_PROGRESS":
                return
            body["updateTime"] = self._cloud.clock.timestamp()
            body["state"] = "STATE_SUCCEEDED" if error is None else "STATE_FAILED"
            if error is not None:
                body["exception"] = {"payload": json.dumps(error, default=str)}
            store.put(_STEP, name, body)
