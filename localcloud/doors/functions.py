"""Cloud Functions (v2): deploying them. Calling them is the front door's business.

A deployment is done when the call returns (its operation says so at once): the archive is fetched, unpacked
and checked here, the process starts at the first call. `url` and `serviceConfig.uri` are the same address.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Call, Json, door, shown
from localcloud.doors.errors import already_exists, invalid, not_found
from localcloud.doors.functions_archive import fetch, unpack
from localcloud.doors.iam_accounts import act_as
from localcloud.doors.paging import page
from localcloud.world.cloud import Cloud
from localcloud.world.events import FINALIZED
from localcloud.world.inventory import plain_source

KIND = "cloudfunctions.function"
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_API = "cloudfunctions.projects.locations."
_TYPE = "type.googleapis.com/google.cloud.functions.v2."


@door(_API + "functions.create", "cloudfunctions.functions.create", atomic=False)
def create(cloud: Cloud, call: Call) -> Json:
    """Deploy a new function."""
    short = call.params.get("functionId") or str(call.body.get("name", "")).rpartition("/")[2]
    if not _ID.fullmatch(short):
        raise invalid(f"function_id: got {short!r}, expected lowercase letters, digits and hyphens")
    name = f"{call.params['parent']}/functions/{short}"
    if cloud.store.get(KIND, name) is not None:
        raise already_exists(f"Resource '{name}'")
    function = _built(cloud, call, {**call.body, "name": name})
    with cloud.store.transaction():
        if not cloud.store.create(KIND, name, function):
            raise already_exists(f"Resource '{name}'")
        return _done(cloud, name, "create", shown(function))


@door(_API + "functions.patch", "cloudfunctions.functions.update", atomic=False)
def patch(cloud: Cloud, call: Call) -> Json:
    """Deploy an existing function anew; `updateMask` names the fields, none means all that came."""
    name = call.params["name"]
    function = _function(cloud, name)
    mask = call.params.get("updateMask")
    for path in mask.split(",") if mask else [*call.body]:
        _assign(function, call.body, [_camel(part) for part in path.split(".")])
    function = _built(cloud, call, {**function, "name": name})
    with cloud.store.transaction():
        cloud.store.put(KIND, name, function)
        return _done(cloud, name, "update", shown(function))


@door(_API + "functions.get", "cloudfunctions.functions.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One function."""
    return shown(_function(cloud, call.params["name"]))


@door(_API + "functions.list", "cloudfunctions.functions.list")
def list_(cloud: Cloud, call: Call) -> Json:
    """All functions of a location."""
    rows = cloud.store.documents(KIND, call.params["parent"].replace("/-", "/"))
    return page(call, "functions", [(name, shown(body)) for name, body in rows])


@door(_API + "functions.delete", "cloudfunctions.functions.delete")
def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a function; its process ends soon after."""
    name = call.params["name"]
    _function(cloud, name)
    cloud.store.delete(KIND, name)
    cloud.beat.later(0, "functions.tidy", {})
    return _done(cloud, name, "delete", {"@type": "type.googleapis.com/google.protobuf.Empty"})


@door(_API + "operations.get", "cloudfunctions.operations.get")
def operation(cloud: Cloud, call: Call) -> Json:
    """A deployment's operation: always done."""
    found = cloud.store.get("cloudfunctions.operation", call.params["name"])
    if found is None:
        raise not_found(f"Operation {call.params['name']}")
    return found


def _function(cloud: Cloud, name: str) -> Json:
    found = cloud.store.get(KIND, name)
    if found is None:
        raise not_found(f"Resource '{name}'")
    return found


def _built(cloud: Cloud, call: Call, function: Json) -> Json:
    """The function checked, its source unpacked, output fields filled in."""
    build, service = function.get("buildConfig", {}), function.get("serviceConfig", {})
    source = build.get("source", {}).get("storageSource", {})
    for field, value in (
        ("buildConfig.runtime", build.get("runtime")),
        ("buildConfig.entryPoint", build.get("entryPoint")),
        ("buildConfig.source.storageSource.bucket", source.get("bucket")),
        ("buildConfig.source.storageSource.object", source.get("object")),
        ("serviceConfig.serviceAccountEmail", service.get("serviceAccountEmail")),
    ):
        if not value:
            raise invalid(f"{field} is required")
    if not build["runtime"].startswith("python3"):
        raise invalid(f"buildConfig.runtime: got {build['runtime']!r}, expected a python3 runtime")
    timeout = service.get("timeoutSeconds", 60)
    longest = 540 if "eventTrigger" in function else 3600
    if not 1 <= timeout <= longest:
        raise invalid(f"serviceConfig.timeoutSeconds: got {timeout}, expected 1..{longest}")
    act_as(cloud, call, service["serviceAccountEmail"])
    if "eventTrigger" in function:
        _check_trigger(function["eventTrigger"])
    folder = unpack(cloud, fetch(cloud, source["bucket"], source["object"], source.get("generation")))
    short = function["name"].rpartition("/")[2]
    url = f"https://{cloud.region}-{cloud.project}.cloudfunctions.net/{short}"
    now, number = cloud.clock.timestamp(), cloud.store.next_number("cloudfunctions.revision")
    return {
        "createTime": now,
        **function,
        "environment": "GEN_2",
        "state": "ACTIVE",
        "updateTime": now,
        "url": url,
        "serviceConfig": {
            "availableMemory": "256M",
            **service,
            "timeoutSeconds": timeout,
            "uri": url,
            "service": function["name"].replace("/functions/", "/services/"),
            "revision": f"{short}-{number:05d}",
        },
        "_folder": str(folder),
    }


def _check_trigger(trigger: Json) -> None:
    if trigger.get("eventType") != FINALIZED:
        raise invalid(f"eventTrigger.eventType: got {trigger.get('eventType')!r}, expected {FINALIZED}")
    if not any(f.get("attribute") == "bucket" and f.get("value") for f in trigger.get("eventFilters", [])):
        raise invalid("eventTrigger.eventFilters: a filter on the attribute 'bucket' is required")


def _done(cloud: Cloud, target: str, verb: str, response: Json) -> Json:
    location = target.partition("/functions/")[0]
    name = f"{location}/operations/operation-{cloud.new_id()}"
    now = cloud.clock.timestamp()
    answer: dict[str, Any] = {
        "name": name,
        "metadata": {
            "@type": _TYPE + "OperationMetadata",
            "createTime": now,
            "endTime": now,
            "target": target,
            "verb": verb,
            "apiVersion": "v2",
        },
        "done": True,
        "response": {"@type": _TYPE + "Function", **response},
    }
    cloud.store.put("cloudfunctions.operation", name, answer)
    return answer


def _assign(target: Json, source: Json, path: list[str]) -> None:
    *parents, last = path
    for key in parents:
        source = source.get(key, {})
        target = target.setdefault(key, {})
    if last in source:
        target[last] = source[last]
    else:
        target.pop(last, None)


def _camel(word: str) -> str:
    first, *rest = word.split("_")
    return first + "".join(part.capitalize() for part in rest)


plain_source(KIND)
