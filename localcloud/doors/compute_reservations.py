"""Reservations: capacity held for one shape in one zone, paid for until deleted.

- An instance that names one must fit it exactly (machine type, CPU platform) and find it not used up.
- `deleteAfterDuration` / `deleteAtTime`: the stand-in deletes it itself when its time has come.
"""

from __future__ import annotations

from localcloud.doors import Call, Json, door, project, shown
from localcloud.doors.compute_filter import by_zone, listed
from localcloud.doors.compute_names import found, last, link, moment_of, new_name, scope, taken
from localcloud.doors.compute_operations import begin, finish, name_of, once
from localcloud.doors.errors import ApiError, invalid
from localcloud.machine.catalog import SHAPES
from localcloud.machine.rules import RuleError, check_offered, reserves
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory_source

KIND = "compute.reservation"
_KEYS = ("compute.googleapis.com/reservation-name", "googleapis.com/reservation-name")
_USING = ("PROVISIONING", "STAGING", "RUNNING", "STOPPING")


@door("compute.reservations.insert", "compute.reservations.create", project)
@once
def insert(cloud: Cloud, call: Call) -> Json:
    """Reserve capacity."""
    name = new_name(cloud, call, "reservations")
    held = call.body.get("specificReservation") or {}
    properties = held.get("instanceProperties") or {}
    count, shape = int(held.get("count", 0)), SHAPES.get(properties.get("machineType", ""))
    zone = last(scope(cloud, call))
    if count < 1:
        raise invalid(f"Invalid value for field 'resource.specificReservation.count': '{count}'.")
    if shape is None or not shape.offered_in(zone):
        got = properties.get("machineType")
        raise invalid(
            f"specificReservation.instanceProperties.machineType: '{got}' is not offered in {zone}."
        )
    try:
        check_offered(shape, "RESERVATION_BOUND")
    except RuleError as error:
        raise invalid(f"specificReservation.instanceProperties.machineType: {error}") from error
    at = _end(cloud, call.body)
    body = {
        **call.body,
        "kind": "compute#reservation",
        "id": cloud.new_id(),
        "zone": link(scope(cloud, call)),
        "selfLink": link(name),
        "creationTimestamp": cloud.clock.timestamp(),
        "status": "CREATING",
        "reservationSharingPolicy": {"serviceShareType": "DISALLOW_ALL"}
        | call.body.get("reservationSharingPolicy", {}),
    }
    if at is not None:
        body["deleteAtTime"] = cloud.clock.timestamp(at)
        cloud.beat.later(at - cloud.clock.now(), "reservation.expire", {"name": name, "id": body["id"]})
    if not cloud.store.create(KIND, name, body):
        raise taken(name)
    operation = begin(cloud, call, "insert", name, body["id"])
    payload = {"name": name, "operation": name_of(operation)}
    cloud.beat.later(cloud.weather.seconds("reservation"), "reservation.ready", payload)
    return operation


def _end(cloud: Cloud, body: Json) -> float | None:
    after, at = body.get("deleteAfterDuration"), body.get("deleteAtTime")
    if after and at:
        raise invalid("deleteAfterDuration and deleteAtTime exclude each other.")
    if after:
        return cloud.clock.now() + int(after.get("seconds", 0))
    if not at:
        return None
    moment = moment_of("deleteAtTime", at)
    if moment <= cloud.clock.now():
        raise invalid(f"Invalid value for field 'resource.deleteAtTime': '{at}' is in the past.")
    return moment


@task("reservation.ready")
def ready(cloud: Cloud, payload: Json) -> None:
    """The capacity is granted."""
    with cloud.store.transaction():
        body = cloud.store.get(KIND, payload["name"])
        if body is not None:
            cloud.store.put(KIND, payload["name"], {**body, "status": "READY"})
        finish(cloud, payload["operation"])


@task("reservation.expire", awaited=False)
def expire(cloud: Cloud, payload: Json) -> None:
    """Its time has come."""
    body = cloud.store.get(KIND, payload["name"])
    if body is not None and body["id"] == payload["id"]:
        cloud.store.delete(KIND, payload["name"])


@door("compute.reservations.get", "compute.reservations.get", project)
def get(cloud: Cloud, call: Call) -> Json:
    """One reservation."""
    name = _name(cloud, call)
    return _with_use(cloud, name, found(cloud, KIND, name))


@door("compute.reservations.list", "compute.reservations.list", project)
def list_(cloud: Cloud, call: Call) -> Json:
    """All of a zone."""
    place = scope(cloud, call)
    rows = cloud.store.documents(KIND, place + "/")
    return listed(call, place, "reservation", [(n, _with_use(cloud, n, body)) for n, body in rows])


@door("compute.reservations.aggregatedList", "compute.reservations.list", project)
def aggregated(cloud: Cloud, call: Call) -> Json:
    """All of all zones, by zone."""
    place = scope(cloud, call).removesuffix("/global")
    rows = [(n, _with_use(cloud, n, body)) for n, body in cloud.store.documents(KIND, place + "/zones/")]
    return by_zone(call, "reservation", "reservations", rows, place)


@door("compute.reservations.delete", "compute.reservations.delete", project)
@once
def delete(cloud: Cloud, call: Call) -> Json:
    """Give the capacity back."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    cloud.store.put(KIND, name, {**body, "status": "DELETING"})
    operation = begin(cloud, call, "delete", name, body["id"])
    payload = {"name": name, "id": body["id"], "operation": name_of(operation)}
    cloud.beat.later(cloud.weather.seconds("delete"), "reservation.delete", payload)
    return operation


@task("reservation.delete")
def remove(cloud: Cloud, payload: Json) -> None:
    """It is gone."""
    with cloud.store.transaction():
        expire(cloud, payload)
        finish(cloud, payload["operation"])


def claim(cloud: Cloud, place: str, body: Json) -> str:
    """The reservation that a new instance of `body` consumes, "" for none. Raises 400 if it cannot."""
    if not reserves(body):
        return ""
    affinity = body.get("reservationAffinity") or {}
    if affinity.get("key") not in _KEYS or len(affinity.get("values", [])) != 1:
        raise invalid(f"reservationAffinity: key must be {_KEYS[0]} with one value, the reservation's name.")
    name = f"{place}/reservations/{last(affinity['values'][0])}"
    reservation = cloud.store.get(KIND, name)
    if reservation is None or reservation["status"] != "READY":
        raise invalid(f"Specified reservation {name} does not exist.")
    held = reservation["specificReservation"]
    wanted = held["instanceProperties"]
    for field, got in (
        ("machineType", last(body.get("machineType", ""))),
        ("minCpuPlatform", body.get("minCpuPlatform", "")),
    ):
        if wanted.get(field, "") != got:
            raise invalid(
                f"Reservation {name} holds {field} {wanted.get(field, '')!r}, the instance has {got!r}."
            )
    if _in_use(cloud, name) >= int(held["count"]):
        raise ApiError(
            400,
            f"Specified reservation {name} does not have available resources for the request.",
            status="RESERVATION_CAPACITY_EXCEEDED",
        )
    return name


def _in_use(cloud: Cloud, name: str) -> int:
    place = name.partition("/reservations/")[0]
    rows = cloud.store.documents("compute.instance", place + "/")
    return sum(1 for _, i in rows if i.get("_reservation") == name and i["status"] in _USING)


def _with_use(cloud: Cloud, name: str, body: Json) -> Json:
    used = str(_in_use(cloud, name))
    return shown({**body, "specificReservation": {**body["specificReservation"], "inUseCount": used}})


def _name(cloud: Cloud, call: Call) -> str:
    return f"{scope(cloud, call)}/reservations/{call.params['reservation']}"


def _listed(cloud: Cloud) -> list[Json]:
    return [
        {"name": name, "labels": {}, "bills": True, "created": body["creationTimestamp"]}
        for name, body in cloud.store.documents(KIND)
    ]


inventory_source(KIND, _listed)
