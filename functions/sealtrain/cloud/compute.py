"""Compute Engine, one call per method, for the five kinds of resource a run may have.

- A resource is named by its full name (`rules.names`); bodies are in REST form, as documented.
- Nothing waits: an insert or a delete answers with an operation, looked at by `get_operation`. The
  library's own waiting is not used, as it asks Google whatever the endpoint is.
- An operation that failed raises: stock-out, quota, already there and unsupported are different.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from sealtrain.cloud import compute_library
from sealtrain.cloud.failures import for_code, ours
from sealtrain.cloud.patience import briefly
from sealtrain.rules.errors import InvalidRequestError, NotFoundError
from sealtrain.rules.resources import MachineKind, Operation, Resource
from sealtrain.rules.settings import Settings


class _Door(msgspec.Struct, frozen=True):
    """How the library calls one kind: its client, message, and the argument of the name."""

    client: str
    message: str
    argument: str


_DOORS: dict[MachineKind, _Door] = {
    "instance": _Door("InstancesClient", "Instance", "instance"),
    "template": _Door("InstanceTemplatesClient", "InstanceTemplate", "instance_template"),
    "group": _Door("InstanceGroupManagersClient", "InstanceGroupManager", "instance_group_manager"),
    "request": _Door(
        "InstanceGroupManagerResizeRequestsClient",
        "InstanceGroupManagerResizeRequest",
        "resize_request",
    ),
    "reservation": _Door("ReservationsClient", "Reservation", "reservation"),
}
_BODIES: dict[MachineKind, str] = {
    "instance": "instance_resource",
    "template": "instance_template_resource",
    "group": "instance_group_manager_resource",
    "request": "instance_group_manager_resize_request_resource",
    "reservation": "reservation_resource",
}


class Compute:
    """Instances, templates, groups, resize requests, reservations."""

    def __init__(self, settings: Settings, credentials: Any = None) -> None:
        self._project = settings.project
        self._credentials = credentials
        self._options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
        self._clients: dict[str, Any] = {}

    def insert(self, kind: MachineKind, name: str, body: dict[str, Any], request_id: str) -> Operation:
        """Ask for a resource. The same request id (a UUID) again gives the same operation.

        Raises AlreadyExistsError, StockOutError, QuotaError, UnsupportedError.
        """
        place = _place(kind, name)
        place.pop(_DOORS[kind].argument)
        message = compute_library.message(_DOORS[kind].message)
        resource = message.from_json(json.dumps(body))
        with ours(name):
            operation = self._client(kind).insert_unary(
                request={**place, _BODIES[kind]: resource, "request_id": request_id}, **briefly()
            )
        return self._checked(operation, name)

    def get(self, kind: MachineKind, name: str) -> Resource | None:
        """The resource as it stands, or None."""
        try:
            with ours(name):
                return _resource(kind, self._client(kind).get(request=_place(kind, name), **briefly()))
        except NotFoundError:
            return None

    def list_requests(self, group: str) -> list[Resource]:
        """The resize requests of a group (full name); none when the group is not there."""
        try:
            with ours(group):
                found = self._client("request").list(request=_place("group", group), **briefly())
                return [_resource("request", each) for each in found]
        except NotFoundError:
            return []

    def delete(self, kind: MachineKind, name: str) -> Operation | None:
        """Ask for a resource's deletion; None when it was not there."""
        try:
            with ours(name):
                operation = self._client(kind).delete_unary(request=_place(kind, name), **briefly())
        except NotFoundError:
            return None
        return self._checked(operation, name)

    def get_operation(self, operation: Operation) -> Operation:
        """Look at an operation again; raises what it failed with."""
        place = {"project": self._project, "operation": operation.name}
        with ours(operation.name):
            if operation.zone:
                client = self._named("ZoneOperationsClient")
                found = client.get(request={**place, "zone": operation.zone}, **briefly())
            else:
                found = self._named("GlobalOperationsClient").get(request=place, **briefly())
        return self._checked(found, operation.name)

    def list(self, kind: MachineKind, prefix: str = "", label: str = "") -> list[Resource]:
        """Resources of a kind in all zones, by name prefix or by one label (`name=value`).

        Only instances carry labels here; resize requests are listed by `list_requests`.
        """
        request: dict[str, Any] = {"project": self._project}
        if label:
            request["filter"] = f"labels.{label}"
        client = self._client(kind)
        with ours(f"{kind} list"):
            if kind == "template":
                found = list(client.list(request=request, **briefly()))
            else:
                pages = client.aggregated_list(request=request, **briefly())
                found = [each for _, page in pages for each in _scoped(kind, page)]
            return [_resource(kind, each) for each in found if each.name.startswith(prefix)]

    def _client(self, kind: MachineKind) -> Any:
        return self._named(_DOORS[kind].client)

    def _named(self, name: str) -> Any:
        if name not in self._clients:
            with ours("credentials"):
                self._clients[name] = compute_library.client(name)(
                    credentials=self._credentials, client_options=self._options
                )
        return self._clients[name]

    def _checked(self, operation: Any, what: str) -> Operation:
        """The operation as ours; raises what it failed with."""
        if operation.error.errors:
            first = operation.error.errors[0]
            reasons = [e.code for e in operation.error.errors]
            code = operation.http_error_status_code or 400
            raise for_code(code, what, first.message or first.code, reasons)
        return Operation(
            name=operation.name,
            zone=operation.zone.rsplit("/", 1)[-1] or None,
            done=operation.status == compute_library.message("Operation").Status.DONE,
        )


def _place(kind: MachineKind, name: str) -> dict[str, str]:
    """The library's arguments for a full name."""
    words = name.split("/")
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    place = {"project": pairs.get("projects", ""), _DOORS[kind].argument: words[-1]}
    if kind != "template":
        place["zone"] = pairs.get("zones", "")
    if kind == "request":
        place["instance_group_manager"] = pairs.get("instanceGroupManagers", "")
    if not all(place.values()):
        raise InvalidRequestError("not the full name of a resource", field=kind, got=name)
    return place


def _scoped(kind: MachineKind, page: Any) -> list[Any]:
    """The resources of one zone's page of an aggregated list."""
    members = {
        "instance": "instances",
        "group": "instance_group_managers",
        "reservation": "reservations",
    }
    return list(getattr(page, members[kind]))


def _resource(kind: MachineKind, message: Any) -> Resource:
    body = json.loads(type(message).to_json(message, always_print_fields_with_no_presence=False))
    status = body.get("status", body.get("state", ""))
    return Resource(
        kind=kind,
        id=str(body.get("id", "")),
        name=body.get("name", ""),
        zone=body.get("zone", "").rsplit("/", 1)[-1],
        # A resize request calls its state `state` and has an object called `status`.
        status=status if isinstance(status, str) else body.get("state", ""),
        created=body.get("creationTimestamp", ""),
        labels=body.get("labels", {}),
        body=body,
    )
