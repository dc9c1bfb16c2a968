"""Workload identity pools and their OIDC providers.

Names may carry the project's id or its number; the number is what Google answers with.
"""

from __future__ import annotations

import re

from localcloud.doors import Call, Json, door
from localcloud.doors.errors import already_exists, invalid, not_found
from localcloud.doors.paging import page
from localcloud.identity.federation import check
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

POOL = "iam.workloadIdentityPool"
PROVIDER = "iam.workloadIdentityPoolProvider"
_ID = re.compile(r"[a-z][a-z0-9-]{2,30}[a-z0-9]")
_API = "iam.projects.locations.workloadIdentityPools."
_TYPE = "type.googleapis.com/google.iam.v1."


def numbered(cloud: Cloud, name: str) -> str:
    """`name` with the project's number in place of its id."""
    own = f"projects/{cloud.project}/"
    return f"projects/{cloud.number}/" + name.removeprefix(own) if name.startswith(own) else name


@door(_API + "create", "iam.workloadIdentityPools.create")
def create(cloud: Cloud, call: Call) -> Json:
    """A new pool."""
    short = _identifier("workloadIdentityPoolId", call.params.get("workloadIdentityPoolId"))
    name = numbered(cloud, f"{call.params['parent']}/workloadIdentityPools/{short}")
    pool = {**call.body, "name": name, "state": "ACTIVE"}
    if not cloud.store.create(POOL, name, pool):
        raise already_exists(f"Requested entity {name}")
    return _done(name, "WorkloadIdentityPool", pool)


@door(_API + "get", "iam.workloadIdentityPools.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One pool."""
    return _found(cloud, POOL, call.params["name"])


@door(_API + "list", "iam.workloadIdentityPools.list")
def list_(cloud: Cloud, call: Call) -> Json:
    """All pools."""
    rows = cloud.store.documents(POOL, numbered(cloud, call.params["parent"] + "/"))
    return page(call, "workloadIdentityPools", rows)


@door(_API + "providers.create", "iam.workloadIdentityPoolProviders.create")
def create_provider(cloud: Cloud, call: Call) -> Json:
    """A new OIDC provider; its mapping and condition must be CEL."""
    pool = numbered(cloud, call.params["parent"])
    _found(cloud, POOL, pool)
    field = "workloadIdentityPoolProviderId"
    name = f"{pool}/providers/{_identifier(field, call.params.get(field))}"
    _check_provider(call.body)
    provider = {**call.body, "name": name, "state": "ACTIVE"}
    if not cloud.store.create(PROVIDER, name, provider):
        raise already_exists(f"Requested entity {name}")
    return _done(name, "WorkloadIdentityPoolProvider", provider)


@door(_API + "providers.patch", "iam.workloadIdentityPoolProviders.update")
def patch_provider(cloud: Cloud, call: Call) -> Json:
    """Change the fields that `updateMask` names, whole."""
    provider = _found(cloud, PROVIDER, call.params["name"])
    for field in call.params.get("updateMask", "").split(","):
        if field not in call.body:
            raise invalid(f"updateMask: got {field!r}, expected fields of the body: {sorted(call.body)}")
        provider[field] = call.body[field]
    _check_provider(provider)
    cloud.store.put(PROVIDER, provider["name"], provider)
    return _done(provider["name"], "WorkloadIdentityPoolProvider", provider)


def _check_provider(body: Json) -> None:
    issuer = body.get("oidc", {}).get("issuerUri", "")
    if not re.fullmatch(r"https://[\w.-]+(:\d+)?(/\S*)?", issuer):
        raise invalid(f"oidc.issuerUri: got {issuer!r}, expected an https address")
    try:
        check(body.get("attributeMapping", {}), body.get("attributeCondition", ""))
    except ValueError as error:
        raise invalid(str(error)) from error


@door(_API + "providers.get", "iam.workloadIdentityPoolProviders.get")
def get_provider(cloud: Cloud, call: Call) -> Json:
    """One provider."""
    return _found(cloud, PROVIDER, call.params["name"])


@door(_API + "providers.list", "iam.workloadIdentityPoolProviders.list")
def list_providers(cloud: Cloud, call: Call) -> Json:
    """All providers of a pool."""
    rows = cloud.store.documents(PROVIDER, numbered(cloud, call.params["parent"] + "/"))
    return page(call, "workloadIdentityPoolProviders", rows)


def _found(cloud: Cloud, kind: str, name: str) -> Json:
    found = cloud.store.get(kind, numbered(cloud, name))
    if found is None:
        raise not_found(f"Requested entity {name}")
    return found


def _identifier(field: str, value: str | None) -> str:
    if value is None or not _ID.fullmatch(value) or value.startswith("gcp-"):
        raise invalid(f"{field}: got {value!r}, expected 4-32 lowercase letters, digits and hyphens")
    return value


def _done(name: str, kind: str, response: Json) -> Json:
    return {
        "name": f"{name}/operations/done",
        "done": True,
        "response": {"@type": _TYPE + kind, **response},
    }


plain_source(POOL)
plain_source(PROVIDER)
