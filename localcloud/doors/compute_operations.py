"""Compute's operations: each change answers with one, and is done when it says DONE.

`requestId`: a second call with the same one gives the first call's operation and changes nothing.
"""

from __future__ import annotations

import secrets
import time
from functools import wraps

from localcloud.doors import Answer, Call, Handler, Json, door, project
from localcloud.doors.compute_filter import listed
from localcloud.doors.compute_names import BASE, found, last, link, scope
from localcloud.doors.errors import ApiError
from localcloud.world.cloud import Cloud

KIND = "compute.operation"
_WAIT_S = 110.0  # real seconds; Google waits at most two minutes


def begin(cloud: Cloud, call: Call, verb: str, target: str, target_id: str) -> Json:
    """A new running operation on `target` (full name)."""
    return begin_for(cloud, call.caller.email or call.caller.principal, verb, target, target_id, call)


def begin_for(
    cloud: Cloud, user: str, verb: str, target: str, target_id: str, call: Call | None = None
) -> Json:
    """As `begin`, also for what the platform itself starts (no call)."""
    place = "/".join(target.split("/")[:4]) if "/zones/" in target else "/".join(target.split("/")[:3])
    short = f"operation-{int(cloud.clock.now() * 1000)}-{secrets.token_hex(8)}"
    name, now = f"{place}/operations/{short}", cloud.clock.timestamp()
    operation = {
        "kind": "compute#operation",
        "id": cloud.new_id(),
        "name": short,
        "operationType": verb,
        "targetLink": link(target),
        "targetId": target_id,
        "status": "RUNNING",
        "user": user,
        "progress": 0,
        "insertTime": now,
        "startTime": now,
        "selfLink": link(name),
    }
    if "/zones/" in place:
        operation["zone"] = link(place)
    cloud.store.put(KIND, name, operation)
    if call is not None and call.params.get("requestId"):
        cloud.store.put("compute.request", call.params["requestId"], {"operation": name, "verb": verb})
    return operation


def name_of(operation: Json) -> str:
    """The full name of an operation, for tasks to remember."""
    return str(operation["selfLink"]).removeprefix(BASE)


def once(handler: Handler) -> Handler:
    """A second call with the requestId of an earlier one answers with that one's operation."""

    @wraps(handler)
    def answered(cloud: Cloud, call: Call) -> Json | Answer:
        request = call.params.get("requestId")
        known = cloud.store.get("compute.request", request) if request else None
        earlier = cloud.store.get(KIND, known["operation"]) if known else None
        return handler(cloud, call) if earlier is None else earlier

    return answered


def finish(cloud: Cloud, name: str, error: ApiError | None = None) -> None:
    """Mark an operation as done; with `error`, as failed."""
    operation = cloud.store.get(KIND, name)
    if operation is None or operation["status"] == "DONE":
        return
    operation |= {"status": "DONE", "progress": 100, "endTime": cloud.clock.timestamp()}
    if error is not None:
        detail = {"code": error.status, "message": error.message}
        operation |= {
            "error": {"errors": [detail]},
            "httpErrorStatusCode": error.code,
            "httpErrorMessage": error.status,
        }
    cloud.store.put(KIND, name, operation)


def _one(cloud: Cloud, call: Call) -> Json:
    return found(cloud, KIND, f"{scope(cloud, call)}/operations/{last(call.params['operation'])}")


def _wait(cloud: Cloud, call: Call) -> Json:
    end = time.monotonic() + _WAIT_S
    while (operation := _one(cloud, call))["status"] != "DONE" and time.monotonic() < end:
        time.sleep(0.02)
    return operation


def _all(cloud: Cloud, call: Call) -> Json:
    place = scope(cloud, call)
    return listed(call, place, "operation", cloud.store.documents(KIND, place + "/"))


for _collection in ("zoneOperations", "globalOperations"):
    door(f"compute.{_collection}.get", f"compute.{_collection}.get", project)(_one)
    door(f"compute.{_collection}.wait", f"compute.{_collection}.get", project, atomic=False)(_wait)
    door(f"compute.{_collection}.list", f"compute.{_collection}.list", project)(_all)
