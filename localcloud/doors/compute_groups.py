"""Managed instance groups: made, read, removed with all their instances and resize requests.

Not imitated: repairing, resizing other than by resize request or at creation, updating.
"""

from __future__ import annotations

import secrets
from typing import Any

from localcloud.doors import Call, Json, door, project, require, shown
from localcloud.doors.compute_access import require_for
from localcloud.doors.compute_filter import by_zone, listed
from localcloud.doors.compute_instances import checked
from localcloud.doors.compute_life import KIND as INSTANCE
from localcloud.doors.compute_life import add, leave, new_instance
from localcloud.doors.compute_names import found, last, link, new_name, scope, taken
from localcloud.doors.compute_operations import begin, begin_for, finish, name_of, once
from localcloud.doors.errors import ApiError, invalid
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

KIND = "compute.instanceGroupManager"
REQUEST = "compute.resizeRequest"
TEMPLATE = "compute.instanceTemplate"
_ACTIONS = {"RUNNING": "NONE", "PROVISIONING": "CREATING", "STAGING": "CREATING", "STOPPING": "DELETING"}


@door("compute.instanceGroupManagers.insert", "compute.instanceGroupManagers.create", project)
@once
def insert(cloud: Cloud, call: Call) -> Json:
    """A new group; it starts `targetSize` instances."""
    name = new_name(cloud, call, "instanceGroupManagers")
    template = "projects/" + call.body.get("instanceTemplate", "").partition("projects/")[2]
    if template == "projects/":
        template = f"projects/{cloud.project}/{call.body.get('instanceTemplate', '')}"
    properties = found(cloud, TEMPLATE, template)["properties"]
    for permission in ("compute.instances.create", "compute.instanceTemplates.useReadOnly"):
        require(cloud, call, permission, f"projects/{cloud.project}")
    require_for(cloud, call, properties)
    size = call.body.get("targetSize")
    if size is None or size < 0:
        raise invalid(f"Invalid value for field 'resource.targetSize': '{size}'.")
    body = {
        "baseInstanceName": call.body["name"],
        **call.body,
        "kind": "compute#instanceGroupManager",
        "id": cloud.new_id(),
        "creationTimestamp": cloud.clock.timestamp(),
        "zone": link(scope(cloud, call)),
        "instanceTemplate": link(template),
        "instanceGroup": link(name.replace("Managers/", "s/")),
        "selfLink": link(name),
        "_template": template,
    }
    if not cloud.store.create(KIND, name, body):
        raise taken(name)
    for _ in range(size):
        add_member(cloud, name, body, f"{body['baseInstanceName']}-{secrets.token_hex(2)}", {})
    operation = begin(cloud, call, "insert", name, body["id"])
    cloud.beat.later(cloud.weather.seconds("group"), "template.done", {"operation": name_of(operation)})
    return operation


def add_member(cloud: Cloud, group: str, body: Json, short: str, scheduling: Json) -> None:
    """Start one instance from the group's template. Raises 400 if the template does not allow it."""
    place = group.partition("/instanceGroupManagers/")[0]
    name = f"{place}/instances/{short}"
    if cloud.store.get(INSTANCE, name) is not None:
        raise taken(name)
    properties: dict[str, Any] = dict(found(cloud, TEMPLATE, body["_template"])["properties"])
    properties["scheduling"] = {**properties.get("scheduling", {}), **scheduling}
    given = properties.get("metadata") or {}
    created_by = {"key": "created-by", "value": group.replace(cloud.project, cloud.number, 1)}
    properties["metadata"] = {**given, "items": [*given.get("items", []), created_by]}
    instance = new_instance(cloud, name, {**checked(cloud, place, properties), "_group": group})
    agent = f"{cloud.number}@cloudservices.gserviceaccount.com"
    operation = begin_for(cloud, agent, "insert", name, instance["id"])
    add(cloud, name, instance, name_of(operation))


def members(cloud: Cloud, group: str) -> list[tuple[str, Json]]:
    """The instances of a group."""
    place = group.partition("/instanceGroupManagers/")[0]
    rows = cloud.store.documents(INSTANCE, place + "/")
    return [(name, body) for name, body in rows if body.get("_group") == group]


@door("compute.instanceGroupManagers.get", "compute.instanceGroupManagers.get", project)
def get(cloud: Cloud, call: Call) -> Json:
    """One group."""
    name = name_in(cloud, call)
    return _state(cloud, name, found(cloud, KIND, name))


@door("compute.instanceGroupManagers.list", "compute.instanceGroupManagers.list", project)
def list_(cloud: Cloud, call: Call) -> Json:
    """The groups of a zone."""
    place = scope(cloud, call)
    rows = [(name, _state(cloud, name, body)) for name, body in cloud.store.documents(KIND, place + "/")]
    return listed(call, place, "instanceGroupManager", rows)


@door("compute.instanceGroupManagers.aggregatedList", "compute.instanceGroupManagers.list", project)
def aggregated(cloud: Cloud, call: Call) -> Json:
    """The groups of all zones, by zone."""
    place = scope(cloud, call).removesuffix("/global")
    found_ = cloud.store.documents(KIND, place + "/zones/")
    rows = [(name, _state(cloud, name, body)) for name, body in found_]
    return by_zone(call, "instanceGroupManager", "instanceGroupManagers", rows, place)


@door("compute.instanceGroupManagers.listManagedInstances", "compute.instanceGroupManagers.get", project)
def managed(cloud: Cloud, call: Call) -> Json:
    """The instances of a group and what is being done to each."""
    group = name_in(cloud, call)
    body = found(cloud, KIND, group)
    rows = []
    for name, instance in members(cloud, group):
        status = instance["status"]
        rows.append(
            {
                "instance": link(name),
                "id": instance["id"],
                "name": last(name),
                "instanceStatus": status,
                "currentAction": _ACTIONS.get(status, "NONE"),
                "version": {"instanceTemplate": body["instanceTemplate"]},
            }
        )
    return {"managedInstances": rows} if rows else {}


@door("compute.instanceGroupManagers.delete", "compute.instanceGroupManagers.delete", project)
@once
def delete(cloud: Cloud, call: Call) -> Json:
    """Remove the group, its resize requests and its instances; done when they are gone."""
    require(cloud, call, "compute.instanceGroups.delete", f"projects/{cloud.project}")
    name = name_in(cloud, call)
    body = found(cloud, KIND, name)
    for request, _ in cloud.store.documents(REQUEST, name + "/"):
        cloud.store.delete(REQUEST, request)
    for member, instance in members(cloud, name):
        started = begin_for(cloud, "system", "delete", member, instance["id"])
        leave(cloud, member, instance, "delete", name_of(started))
    cloud.store.put(KIND, name, {**body, "_deleting": True})
    operation = begin(cloud, call, "delete", name, body["id"])
    payload = {"name": name, "id": body["id"], "operation": name_of(operation)}
    cloud.beat.later(cloud.weather.seconds("group"), "group.delete", payload)
    return operation


@task("group.delete")
def remove(cloud: Cloud, payload: Json) -> None:
    """Gone once its instances are."""
    with cloud.store.transaction():
        if members(cloud, payload["name"]):
            cloud.beat.later(cloud.weather.seconds("group"), "group.delete", payload)
            return
        body = cloud.store.get(KIND, payload["name"])
        if body is not None and body["id"] == payload["id"]:
            cloud.store.delete(KIND, payload["name"])
        finish(cloud, payload["operation"])


def usable(cloud: Cloud, name: str) -> Json:
    """The group, for changing it; 404 if there is none, 400 if it is being deleted."""
    body = found(cloud, KIND, name)
    if body.get("_deleting"):
        raise ApiError(400, f"The resource '{name}' is not ready", status="RESOURCE_NOT_READY")
    return body


def name_in(cloud: Cloud, call: Call) -> str:
    """The full name of the group that the path names."""
    return f"{scope(cloud, call)}/instanceGroupManagers/{call.params['instanceGroupManager']}"


def _state(cloud: Cloud, name: str, body: Json) -> Json:
    statuses = [instance["status"] for _, instance in members(cloud, name)]
    actions = {"none": statuses.count("RUNNING") + statuses.count("TERMINATED")}
    actions |= {"creating": statuses.count("PROVISIONING"), "deleting": statuses.count("STOPPING")}
    stable = actions["creating"] == actions["deleting"] == 0
    size = len(statuses) - actions["deleting"]
    return shown({**body, "targetSize": size, "currentActions": actions, "status": {"isStable": stable}})


plain_source(KIND, "creationTimestamp")
