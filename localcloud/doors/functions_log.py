"""What a function prints, line by line, as log entries: JSON objects are structured, the rest is text."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any

from localcloud.doors import Json
from localcloud.world.cloud import Cloud
from localcloud.world.events import deliver_log

_SEVERITIES = {
    "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"
}  # fmt: skip


def capture(cloud: Cloud, function: Json, process: subprocess.Popen[bytes]) -> threading.Thread:
    """Read the process's output until it ends, in a thread."""
    arguments = (cloud, function, process)
    thread = threading.Thread(target=_read, args=arguments, name="function-log", daemon=True)
    thread.start()
    return thread


def _read(cloud: Cloud, function: Json, process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None  # noqa: S101 - started with a pipe
    for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        if line:
            deliver_log(cloud, entry(cloud, function, line))


def entry(cloud: Cloud, function: Json, line: str) -> Json:
    """One printed line as a LogEntry."""
    short = function["name"].rpartition("/")[2]
    found: Json = {
        "logName": f"projects/{cloud.project}/logs/run.googleapis.com%2Fstdout",
        "timestamp": cloud.clock.timestamp(),
        "resource": {
            "type": "cloud_run_revision",
            "labels": {
                "project_id": cloud.project,
                "location": cloud.region,
                "service_name": short,
                "configuration_name": short,
                "revision_name": function["serviceConfig"]["revision"],
            },
        },
    }
    payload = _object(line)
    if payload is None:
        return {**found, "textPayload": line}
    severity = payload.pop("severity", None)
    if severity in _SEVERITIES:
        found["severity"] = severity
    return {**found, "jsonPayload": payload}


def _object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
