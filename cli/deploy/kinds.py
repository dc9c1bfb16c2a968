"""How each kind of resource is made, read and changed through Google's APIs.

- A resource is created; if it is there already, it is read and compared. Equal where we said something: no
  change.
- A difference is patched, field by field; a kind that cannot be changed is refused with what differs.
- Long-running operations are waited for, bounded in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cli.api import Api, Json, refusal
from cli.deploy.description import Kind, Resource
from cli.errors import CloudError, PlaceError, TimeoutReachedError

Change = Literal["created", "changed", "same"]

_OPERATION_S = 600.0


@dataclass(frozen=True)
class How:
    """The calls of one kind.

    `create` gives verb, path, query and body; `path` is where it is read and patched; `patch` gives a patch's
    query and body.
    """

    service: str
    create: Callable[[str, Resource], tuple[str, str, Json, Json]]
    path: Callable[[Resource], str]
    patch: Callable[[Resource, list[str], Json], tuple[Json, Json]] | None = None


def ensure(api: Api, project: str, resource: Resource) -> Change:
    """Make the resource, or make it equal to what is wanted. Raises PlaceError when that cannot be."""
    how = HOW[resource.kind]
    verb, path, query, body = how.create(project, resource)
    answer = api.send(verb, how.service, path, body=body, params=query)
    if answer.status_code < 300:
        _wait(api, how, path, answer.json() if answer.content else {})
        return "created"
    if answer.status_code != 409:
        raise refusal(verb, path, answer)
    return _agree(api, how, resource)


def _agree(api: Api, how: How, resource: Resource) -> Change:
    path = how.path(resource)
    there = api.get(how.service, path)
    fields = differing(resource, there)
    if not fields:
        return "same"
    if how.patch is None:
        raise _unchangeable(resource, fields[0], there)
    query, body = how.patch(resource, fields, there)
    try:
        answer = api.call("PATCH", how.service, path, params=query, body=body)
    except CloudError as error:
        if error.status != 501:
            raise
        raise _unchangeable(resource, fields[0], there) from error
    _wait(api, how, path, answer)
    return "changed"


def look(api: Api, resource: Resource) -> Json | None:
    """The resource as it is, or None."""
    how = HOW[resource.kind]
    return api.find(how.service, how.path(resource))


def differing(resource: Resource, there: Json) -> list[str]:
    """The fields of which something else is there than is wanted."""
    return [key for key, wanted in resource.body.items() if not holds(wanted, there.get(key))]


def _unchangeable(resource: Resource, field: str, there: Json) -> PlaceError:
    return PlaceError(
        f"{resource.name} exists, differs, and cannot be changed here",
        field=field,
        got=there.get(field),
        expected=resource.body[field],
        remedy="the state is from another version: start with a fresh one, `sealtrain up --state OTHER`",
    )


def holds(wanted: Any, there: Any) -> bool:
    """Whether everything that is wanted is there, whatever else is; numbers may come as text."""
    if isinstance(wanted, dict):
        if not wanted:
            return not there
        return isinstance(there, dict) and all(holds(value, there.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(there, list) and len(wanted) == len(there)
        return same and all(holds(one, other) for one, other in zip(wanted, there, strict=True))
    if wanted in (None, "", False, 0):
        return there in (None, "", False, 0, str(wanted))
    return str(wanted) == str(there)


def _wait(api: Api, how: How, path: str, answer: Json) -> None:
    """Wait for a long-running operation, if the answer is one."""
    deadline = time.monotonic() + _OPERATION_S
    while "/operations/" in str(answer.get("name", "")) and "bindings" not in answer:
        if answer.get("error"):
            raise PlaceError(f"{path}: {answer['error'].get('message', answer['error'])}")
        if answer.get("done"):
            return
        if time.monotonic() > deadline:
            raise TimeoutReachedError(f"{path}: not done within {_OPERATION_S:.0f} s", remedy="run it again")
        time.sleep(0.5)
        answer = api.get(how.service, f"/{path.split('/')[1]}/{answer['name']}")


def _tail(name: str) -> str:
    return name.rpartition("/")[2]


def _parent(name: str, collection: str) -> str:
    return name.rpartition(f"/{collection}/")[0]


def _plain(version: str) -> Callable[[Resource], str]:
    return lambda resource: f"/{version}/{resource.name}"


def _post(
    version: str, collection: str, id_parameter: str
) -> Callable[[str, Resource], tuple[str, str, Json, Json]]:
    """POST to the collection with the new resource's id as a query parameter."""

    def create(_: str, resource: Resource) -> tuple[str, str, Json, Json]:
        path = f"/{version}/{_parent(resource.name, collection)}/{collection}"
        return "POST", path, {id_parameter: _tail(resource.name)}, resource.body

    return create


def _put(_: str, resource: Resource) -> tuple[str, str, Json, Json]:
    return "PUT", f"/v1/{resource.name}", {}, resource.body


def _masked(resource: Resource, fields: list[str], _: Json) -> tuple[Json, Json]:
    return {"updateMask": ",".join(fields)}, {field: resource.body[field] for field in fields}


def _masked_inside(word: str) -> Callable[[Resource, list[str], Json], tuple[Json, Json]]:
    """Pub/Sub's patch: the resource under its word, and the mask beside it."""

    def patch(resource: Resource, fields: list[str], _: Json) -> tuple[Json, Json]:
        changed = {"name": resource.name, **{field: resource.body[field] for field in fields}}
        return {}, {word: changed, "updateMask": ",".join(fields)}

    return patch


def _merged(resource: Resource, fields: list[str], _: Json) -> tuple[Json, Json]:
    return {}, {field: resource.body[field] for field in fields}


def _account(project: str, resource: Resource) -> tuple[str, str, Json, Json]:
    short = _tail(resource.name).partition("@")[0]
    body = {"accountId": short, "serviceAccount": resource.body}
    return "POST", f"/v1/projects/{project}/serviceAccounts", {}, body


def _role(project: str, resource: Resource) -> tuple[str, str, Json, Json]:
    return (
        "POST",
        f"/v1/projects/{project}/roles",
        {},
        {"roleId": _tail(resource.name), "role": resource.body},
    )


def _bucket(project: str, resource: Resource) -> tuple[str, str, Json, Json]:
    return "POST", "/storage/v1/b", {"project": project}, {"name": resource.name, **resource.body}


def _key(_: str, resource: Resource) -> tuple[str, str, Json, Json]:
    """A key that rotates has to be told when first: one period from now."""
    path = f"/v1/{_parent(resource.name, 'cryptoKeys')}/cryptoKeys"
    body = dict(resource.body)
    if "rotationPeriod" in body:
        period = timedelta(seconds=int(body["rotationPeriod"].removesuffix("s")))
        body["nextRotationTime"] = (datetime.now(UTC) + period).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "POST", path, {"cryptoKeyId": _tail(resource.name)}, body


def _job(_: str, resource: Resource) -> tuple[str, str, Json, Json]:
    path = f"/v1/{_parent(resource.name, 'jobs')}/jobs"
    return "POST", path, {}, {"name": resource.name, **resource.body}


def _dataset(project: str, resource: Resource) -> tuple[str, str, Json, Json]:
    reference = {"projectId": project, "datasetId": _tail(resource.name)}
    path = f"/bigquery/v2/projects/{project}/datasets"
    return "POST", path, {}, {"datasetReference": reference, **resource.body}


def _table(project: str, resource: Resource) -> tuple[str, str, Json, Json]:
    dataset = _parent(resource.name, "tables")
    reference = {"projectId": project, "datasetId": _tail(dataset), "tableId": _tail(resource.name)}
    return "POST", f"/bigquery/v2/{dataset}/tables", {}, {"tableReference": reference, **resource.body}


def _sink(project: str, resource: Resource) -> tuple[str, str, Json, Json]:
    query = {"uniqueWriterIdentity": "true"}
    return "POST", f"/v2/projects/{project}/sinks", query, {"name": _tail(resource.name), **resource.body}


HOW: dict[Kind, How] = {
    "account": How("iam", _account, _plain("v1")),
    "role": How("iam", _role, _plain("v1"), _masked),
    "ring": How("cloudkms", _post("v1", "keyRings", "keyRingId"), _plain("v1")),
    "key": How("cloudkms", _key, _plain("v1"), _masked),
    "pool": How("iam", _post("v1", "workloadIdentityPools", "workloadIdentityPoolId"), _plain("v1")),
    "provider": How("iam", _post("v1", "providers", "workloadIdentityPoolProviderId"), _plain("v1"), _masked),
    "repository": How("artifactregistry", _post("v1", "repositories", "repositoryId"), _plain("v1"), _masked),
    "bucket": How("storage", _bucket, lambda r: f"/storage/v1/b/{r.name}", _merged),
    "topic": How("pubsub", _put, _plain("v1"), _masked_inside("topic")),
    "dataset": How("bigquery", _dataset, _plain("bigquery/v2"), _merged),
    "table": How("bigquery", _table, _plain("bigquery/v2"), _merged),
    "function": How("cloudfunctions", _post("v2", "functions", "functionId"), _plain("v2"), _masked),
    "workflow": How("workflows", _post("v1", "workflows", "workflowId"), _plain("v1"), _masked),
    "subscription": How("pubsub", _put, _plain("v1"), _masked_inside("subscription")),
    "job": How("cloudscheduler", _job, _plain("v1"), _masked),
    "sink": How("logging", _sink, _plain("v2"), _masked),
}
