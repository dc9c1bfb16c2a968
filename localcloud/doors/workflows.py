"""Workflows: deploying them. A source that Google would refuse is refused here, with line and rule."""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Call, Json, door
from localcloud.doors.errors import already_exists, invalid, not_found
from localcloud.doors.iam_accounts import act_as
from localcloud.doors.paging import page
from localcloud.workflows import DeploymentError, compile_source
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

KIND = "workflows.workflow"
REVISION = "workflows.revision"
SOURCE_LIMIT_BYTES = 128 * 1024
VARIABLES_LIMIT = 20
_ID = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]{0,62}[a-zA-Z0-9])?")
_API = "workflows.projects.locations."
_TYPE = "type.googleapis.com/google.cloud.workflows.v1."


@door(_API + "workflows.create", "workflows.workflows.create")
def create(cloud: Cloud, call: Call) -> Json:
    """Deploy a new workflow; its operation is done at once."""
    short = call.params.get("workflowId", "")
    if not _ID.fullmatch(short):
        raise invalid(f"workflow_id: got {short!r}, expected letters, digits, - and _ (at most 64)")
    name = f"{call.params['parent']}/workflows/{short}"
    if cloud.store.get(KIND, name) is not None:
        raise already_exists(f"Resource '{name}'")
    made = cloud.clock.timestamp()
    workflow = _deployed(cloud, call, {**call.body, "name": name, "createTime": made}, number=1)
    return _done(cloud, name, "create", workflow)


@door(_API + "workflows.patch", "workflows.workflows.update")
def patch(cloud: Cloud, call: Call) -> Json:
    """Deploy an existing workflow anew: a new revision; running executions keep theirs."""
    name = call.params["name"]
    old = get_workflow(cloud, name)
    mask = call.params.get("updateMask")
    fields = [_camel(field) for field in mask.split(",")] if mask else [*call.body]
    changed = {field: call.body[field] for field in fields if field in call.body}
    workflow = _deployed(cloud, call, {**old, **changed}, number=int(old["revisionId"][:6]) + 1)
    return _done(cloud, name, "update", workflow)


@door(_API + "workflows.get", "workflows.workflows.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One workflow with its source."""
    return get_workflow(cloud, call.params["name"])


@door(_API + "workflows.list", "workflows.workflows.list")
def list_(cloud: Cloud, call: Call) -> Json:
    """All workflows of a location."""
    return page(call, "workflows", cloud.store.documents(KIND, f"{call.params['parent']}/workflows/"))


@door(_API + "workflows.delete", "workflows.workflows.delete")
def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a workflow; executions that run go on."""
    name = call.params["name"]
    get_workflow(cloud, name)
    cloud.store.delete(KIND, name)
    return _done(cloud, name, "delete", {"@type": "type.googleapis.com/google.protobuf.Empty"})


@door(_API + "operations.get", "workflows.operations.get")
def operation(cloud: Cloud, call: Call) -> Json:
    """A deployment's operation: always done."""
    found = cloud.store.get("workflows.operation", call.params["name"])
    if found is None:
        raise not_found(f"Operation {call.params['name']}")
    return found


def get_workflow(cloud: Cloud, name: str) -> Json:
    """The deployed workflow. Raises 404."""
    found = cloud.store.get(KIND, name)
    if found is None:
        raise not_found(f"Resource '{name}'")
    return found


def _deployed(cloud: Cloud, call: Call, workflow: Json, number: int) -> Json:
    source, variables = workflow.get("sourceContents", ""), workflow.get("userEnvVars", {})
    if not source:
        raise invalid("source_contents is required")
    if len(source.encode()) > SOURCE_LIMIT_BYTES:
        raise invalid(f"source_contents: got {len(source.encode())} bytes, at most {SOURCE_LIMIT_BYTES}")
    if len(variables) > VARIABLES_LIMIT:
        raise invalid(f"user_env_vars: got {len(variables)}, at most {VARIABLES_LIMIT}")
    try:
        compile_source(source)
    except DeploymentError as error:
        raise invalid(f"failed to deploy: {error}") from error
    if workflow.get("serviceAccount"):
        act_as(cloud, call, workflow["serviceAccount"].rpartition("/")[2])
    now = cloud.clock.timestamp()
    revision = f"{number:06d}-{cloud.store.next_number('workflows.revision'):03x}"
    stored = {
        **workflow,
        "state": "ACTIVE",
        "updateTime": now,
        "revisionId": revision,
        "revisionCreateTime": now,
    }
    cloud.store.put(KIND, workflow["name"], stored)
    cloud.store.put(REVISION, f"{workflow['name']}@{revision}", stored)
    return {"@type": _TYPE + "Workflow", **stored}


def _done(cloud: Cloud, name: str, verb: str, response: dict[str, Any]) -> Json:
    location = name.rpartition("/workflows/")[0]
    now = cloud.clock.timestamp()
    metadata = {
        "@type": _TYPE + "OperationMetadata",
        "createTime": now,
        "endTime": now,
        "target": name,
        "verb": verb,
        "apiVersion": "v1",
    }
    number = cloud.store.next_number("workflows.operation")
    made: Json = {
        "name": f"{location}/operations/operation-{number}",
        "metadata": metadata,
        "done": True,
        "response": response,
    }
    cloud.store.put("workflows.operation", made["name"], made)
    return made


def _camel(snake: str) -> str:
    first, *rest = snake.split("_")
    return first + "".join(word.capitalize() for word in rest)


plain_source(KIND)
