"""Executions of the workflow `train`: started directly, and looked at for what their end says."""

from __future__ import annotations

import json
from typing import Any

from sealtrain.rules import names
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload

from cli.api import Api

_SERVICE = "workflowexecutions"


def start(api: Api, settings: Settings, upload: Upload) -> str:
    """Start a run of an upload, as `gcloud workflows run` would; the execution's name."""
    argument = {
        "bucket": upload.bucket,
        "object": upload.object,
        "generation": upload.generation,
        "attempt": upload.attempt,
    }
    path = f"/v1/{names.workflow(settings, names.WORKFLOW_TRAIN)}/executions"
    return str(api.post(_SERVICE, path, {"argument": json.dumps(argument)})["name"])


def failure(api: Api, settings: Settings, upload: Upload) -> str:
    """Why the newest execution of this upload failed; empty if none did."""
    for execution in _of(api, settings, upload):
        if execution.get("state") == "FAILED":
            return _told(execution.get("error", {}))
    return ""


def _told(error: dict[str, Any]) -> str:
    """The function's own words where there are any, else the workflow's."""
    try:
        payload = json.loads(error.get("payload", ""))
        own = payload["body"]["error"] if "body" in payload else payload
        said = [f"{key} {own[key]}" for key in ("field", "got") if own.get(key)]
        return "; ".join([str(own["message"]), *said])
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(error.get("context") or error.get("payload") or "the workflow failed")


def _of(api: Api, settings: Settings, upload: Upload) -> list[dict[str, Any]]:
    """The upload's executions, newest first."""
    path = f"/v1/{names.workflow(settings, names.WORKFLOW_TRAIN)}/executions"
    found = api.get(_SERVICE, path, view="FULL", pageSize=100).get("executions", [])
    return [execution for execution in found if _is_of(execution.get("argument", ""), upload)]


def _is_of(argument: str, upload: Upload) -> bool:
    try:
        told = json.loads(argument)
    except ValueError:
        return False
    return isinstance(told, dict) and (
        told.get("bucket"),
        told.get("object"),
        str(told.get("generation")),
        told.get("attempt", 1),
    ) == (upload.bucket, upload.object, upload.generation, upload.attempt)
