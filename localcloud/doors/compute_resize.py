"""Resize requests: how flex-start capacity is asked for. ACCEPTED → SUCCEEDED, FAILED or CANCELLED.

- The group must leave failed instances alone (`defaultActionOnFailure: DO_NOTHING`) and not heal itself.
- The template must be FLEX_START (or STANDARD with a run duration), end by deletion, and use no reservation.
- A fault planted on "compute.resizeRequests.grant" makes it wait on, with the cause in status.lastAttempt.
- A request that is still waiting can be cancelled but not deleted; deleting one leaves its instances.
"""

from __future__ import annotations

import secrets

from localcloud.doors import Call, Json, door, project, shown
from localcloud.doors.compute_filter import listed
from localcloud.doors.compute_groups import REQUEST as KIND
from localcloud.doors.compute_groups import TEMPLATE, add_member, name_in, usable
from localcloud.doors.compute_names import check_name, found, link, taken
from localcloud.doors.compute_operations import begin, finish, name_of, once
from localcloud.doors.errors import ApiError, invalid
from localcloud.doors.planted import GRANT
from localcloud.machine.rules import FLEX_MAX_S, FLEX_MIN_S, model
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

_API = "compute.instanceGroupManagerResizeRequests."
_MOST = 1000  # instances in one request
_WAITING = ("CREATING", "ACCEPTED")


@door(_API + "insert", "compute.instanceGroupManagers.update", project)
@once
def insert(cloud: Cloud, call: Call) -> Json:
    """Ask for instances as soon as there is room for all of them."""
    group = name_in(cloud, call)
    body, wanted = usable(cloud, group), call.body
    name = f"{group}/resizeRequests/{wanted['name']}"
    if bool(wanted.get("resizeBy")) == bool(wanted.get("instances")):
        raise invalid("Exactly one of resizeBy and instances is required.")
    for short in [wanted["name"], *(item.get("name", "") for item in wanted.get("instances", []))]:
        check_name(short)
    if not 1 <= wanted.get("resizeBy", 1) <= _MOST:
        raise invalid(
            f"Invalid value for field 'resource.resizeBy': '{wanted['resizeBy']}', expected 1 to {_MOST}."
        )
    _check(body, found(cloud, TEMPLATE, body["_template"])["properties"], wanted)
    stored = {
        **wanted,
        "kind": "compute#instanceGroupManagerResizeRequest",
        "id": cloud.new_id(),
        "creationTimestamp": cloud.clock.timestamp(),
        "zone": body["zone"],
        "selfLink": link(name),
        "resizeBy": wanted.get("resizeBy") or len(wanted["instances"]),
        "state": "ACCEPTED",
        "status": {},
    }
    if not cloud.store.create(KIND, name, stored):
        raise taken(name)
    operation = begin(cloud, call, "insert", name, stored["id"])
    finish(cloud, name_of(operation))
    payload = {"name": name, "id": stored["id"], "group": group}
    cloud.beat.later(cloud.weather.seconds("capacity"), "resize.grant", payload)
    return operation


def _check(group: Json, properties: Json, wanted: Json) -> None:
    policy = group.get("instanceLifecyclePolicy") or {}
    if policy.get("defaultActionOnFailure") != "DO_NOTHING" or group.get("autoHealingPolicies"):
        raise invalid(
            "Resize requests need a group without repairs: "
            "instanceLifecyclePolicy.defaultActionOnFailure must be DO_NOTHING, without autoHealingPolicies."
        )
    scheduling = properties.get("scheduling") or {}
    duration = wanted.get("requestedRunDuration") or scheduling.get("maxRunDuration") or {}
    seconds = int(duration["seconds"]) if "seconds" in duration else None
    if seconds is None or not FLEX_MIN_S <= seconds <= FLEX_MAX_S:
        raise invalid(f"requestedRunDuration: expected {FLEX_MIN_S} to {FLEX_MAX_S} seconds, got {seconds}.")
    if model(properties) not in ("FLEX_START", "STANDARD"):
        raise invalid(f"Resize requests cannot use provisioning model {model(properties)}.")
    if scheduling.get("instanceTerminationAction") != "DELETE":
        raise invalid("Resize requests need instanceTerminationAction DELETE in the instance template.")
    affinity = (properties.get("reservationAffinity") or {}).get("consumeReservationType")
    if affinity != "NO_RESERVATION":
        raise invalid("Resize requests need reservationAffinity NO_RESERVATION in the instance template.")


@task("resize.grant")
def grant(cloud: Cloud, payload: Json) -> None:
    """There is room: the instances start, all or none."""
    with cloud.store.transaction():
        body = cloud.store.get(KIND, payload["name"])
        if body is None or body["id"] != payload["id"] or body["state"] != "ACCEPTED":
            return
        if cloud.faults.take(GRANT, {"name": payload["name"]}) or cloud.weather.happens("stockout"):
            _wait_on(cloud, payload, body)
            return
    try:
        with cloud.store.transaction():
            _start(cloud, payload["group"], body)
            cloud.store.put(KIND, payload["name"], {**body, "state": "SUCCEEDED"})
    except ApiError as error:
        detail = {"errors": [{"code": error.status, "message": error.message}]}
        failed = {**body, "state": "FAILED", "status": {"error": detail}}
        cloud.store.put(KIND, payload["name"], failed)


def _wait_on(cloud: Cloud, payload: Json, body: Json) -> None:
    why = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources."}
    cloud.store.put(KIND, payload["name"], {**body, "status": {"lastAttempt": {"error": {"errors": [why]}}}})
    cloud.beat.later(cloud.weather.seconds("no_capacity"), "resize.grant", payload)


def _start(cloud: Cloud, group: str, body: Json) -> None:
    manager = usable(cloud, group)
    duration = body.get("requestedRunDuration")
    scheduling: Json = {"maxRunDuration": duration} if duration else {}
    named = [item["name"] for item in body.get("instances", [])]
    names = named or [
        f"{manager['baseInstanceName']}-{secrets.token_hex(2)}" for _ in range(body["resizeBy"])
    ]
    for short in names:
        add_member(cloud, group, manager, short, scheduling)


@door(_API + "get", "compute.instanceGroupManagers.get", project)
def get(cloud: Cloud, call: Call) -> Json:
    """One request."""
    return shown(found(cloud, KIND, _name(cloud, call)))


@door(_API + "list", "compute.instanceGroupManagers.list", project)
def list_(cloud: Cloud, call: Call) -> Json:
    """The requests of a group."""
    group = name_in(cloud, call)
    rows = cloud.store.documents(KIND, group + "/")
    return listed(call, group, "instanceGroupManagerResizeRequest", rows)


@door(_API + "cancel", "compute.instanceGroupManagers.update", project)
@once
def cancel(cloud: Cloud, call: Call) -> Json:
    """Give up waiting."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    if body["state"] not in _WAITING:
        raise invalid(f"Resize request {name} is {body['state']}: only one that waits can be cancelled.")
    cloud.store.put(KIND, name, {**body, "state": "CANCELLED"})
    operation = begin(cloud, call, "cancel", name, body["id"])
    finish(cloud, name_of(operation))
    return operation


@door(_API + "delete", "compute.instanceGroupManagers.update", project)
@once
def delete(cloud: Cloud, call: Call) -> Json:
    """Forget a request that no longer waits."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    if body["state"] in _WAITING:
        raise invalid(f"Resize request {name} is {body['state']}: cancel it before deleting it.")
    cloud.store.delete(KIND, name)
    operation = begin(cloud, call, "delete", name, body["id"])
    finish(cloud, name_of(operation))
    return operation


def _name(cloud: Cloud, call: Call) -> str:
    return f"{name_in(cloud, call)}/resizeRequests/{call.params['resizeRequest']}"


plain_source(KIND, "creationTimestamp")
