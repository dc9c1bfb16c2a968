"""Instance templates: kept as given; what they describe is checked when an instance is made from it."""

from __future__ import annotations

from localcloud.doors import Call, Json, door, project, shown
from localcloud.doors.compute_access import act_as_its_account
from localcloud.doors.compute_filter import listed
from localcloud.doors.compute_names import found, link, new_name, scope, taken
from localcloud.doors.compute_operations import begin, finish, name_of, once
from localcloud.doors.errors import ApiError, invalid
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

KIND = "compute.instanceTemplate"


@door("compute.instanceTemplates.insert", "compute.instanceTemplates.create", project)
@once
def insert(cloud: Cloud, call: Call) -> Json:
    """A new template."""
    name = new_name(cloud, call, "instanceTemplates")
    properties = call.body.get("properties") or {}
    for field in ("disks", "networkInterfaces"):
        if not properties.get(field):
            raise invalid(f"Invalid value for field 'resource.properties.{field}': it is required.")
    act_as_its_account(cloud, call, properties)
    body = {
        **call.body,
        "kind": "compute#instanceTemplate",
        "id": cloud.new_id(),
        "creationTimestamp": cloud.clock.timestamp(),
        "selfLink": link(name),
    }
    if not cloud.store.create(KIND, name, body):
        raise taken(name)
    return _later(cloud, call, "insert", name, body)


@door("compute.instanceTemplates.get", "compute.instanceTemplates.get", project)
def get(cloud: Cloud, call: Call) -> Json:
    """One template."""
    return shown(found(cloud, KIND, _name(cloud, call)))


@door("compute.instanceTemplates.list", "compute.instanceTemplates.list", project)
def list_(cloud: Cloud, call: Call) -> Json:
    """All templates."""
    place = scope(cloud, call)
    return listed(call, place, "instanceTemplate", cloud.store.documents(KIND, place + "/"))


@door("compute.instanceTemplates.delete", "compute.instanceTemplates.delete", project)
@once
def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a template that no group uses."""
    name = _name(cloud, call)
    body = found(cloud, KIND, name)
    for group, used in cloud.store.documents("compute.instanceGroupManager"):
        if used["_template"] == name:
            raise ApiError(
                400,
                f"The instance_template resource '{name}' is already being used by '{group}'",
                status="RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
                reason="resourceInUseByAnotherResource",
            )
    cloud.store.delete(KIND, name)
    return _later(cloud, call, "delete", name, body)


@task("template.done")
def done(cloud: Cloud, payload: Json) -> None:
    """The operation's end; the effect was there at once."""
    finish(cloud, payload["operation"])


def _later(cloud: Cloud, call: Call, verb: str, name: str, body: Json) -> Json:
    operation = begin(cloud, call, verb, name, body["id"])
    cloud.beat.later(cloud.weather.seconds("template"), "template.done", {"operation": name_of(operation)})
    return operation


def _name(cloud: Cloud, call: Call) -> str:
    return f"{scope(cloud, call)}/instanceTemplates/{call.params['instanceTemplate']}"


plain_source(KIND, "creationTimestamp")
