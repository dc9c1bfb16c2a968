"""Service accounts and custom roles of the project."""

from __future__ import annotations

import re

from localcloud.doors import Call, Json, door, require
from localcloud.doors.errors import already_exists, invalid, not_found
from localcloud.doors.paging import page
from localcloud.identity.iam import permissions_of, predefined_roles
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import plain_source

ACCOUNT = "iam.serviceAccount"
ROLE = "iam.role"
_ACCOUNT_ID = re.compile(r"[a-z]([a-z0-9-]{4,28}[a-z0-9])")
_ROLE_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")


def act_as(cloud: Cloud, call: Call, email: str) -> None:
    """Refuse unless the account exists and the caller may attach it to something."""
    name = f"projects/{cloud.project}/serviceAccounts/{email}"
    if cloud.store.get(ACCOUNT, name) is None:
        raise not_found(f"Service account {email}")
    require(cloud, call, "iam.serviceAccounts.actAs", name)


@door("iam.projects.serviceAccounts.create", "iam.serviceAccounts.create")
def create(cloud: Cloud, call: Call) -> Json:
    """A new service account."""
    short = call.body.get("accountId", "")
    if not _ACCOUNT_ID.fullmatch(short):
        raise invalid(f"accountId: got {short!r}, expected 6-30 lowercase letters, digits and hyphens")
    email = f"{short}@{cloud.project}.iam.gserviceaccount.com"
    name = f"projects/{cloud.project}/serviceAccounts/{email}"
    given = call.body.get("serviceAccount", {})
    account = {
        **{key: given[key] for key in ("displayName", "description") if key in given},
        "name": name,
        "projectId": cloud.project,
        "uniqueId": cloud.new_id(),
        "email": email,
        "oauth2ClientId": cloud.new_id(),
        "etag": "MDEwMjE5MjA=",
    }
    if not cloud.store.create(ACCOUNT, name, account):
        raise already_exists(f"Service account {short} within project {cloud.project}")
    return account


@door("iam.projects.serviceAccounts.get", "iam.serviceAccounts.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One account; the project may be `-`."""
    name = call.params["name"].replace("projects/-/", f"projects/{cloud.project}/")
    found = cloud.store.get(ACCOUNT, name)
    if found is None:
        raise not_found(f"Service account {name}")
    return found


@door("iam.projects.serviceAccounts.list", "iam.serviceAccounts.list")
def list_(cloud: Cloud, call: Call) -> Json:
    """All accounts."""
    return page(call, "accounts", cloud.store.documents(ACCOUNT, call.params["name"] + "/"))


@door("iam.projects.roles.create", "iam.roles.create")
def create_role(cloud: Cloud, call: Call) -> Json:
    """A custom role; each of its permissions must exist in some predefined role."""
    short = call.body.get("roleId", "")
    if not _ROLE_ID.fullmatch(short):
        raise invalid(f"roleId: got {short!r}, expected 3-64 letters, digits, periods or underscores")
    role = call.body.get("role", {})
    for permission in role.get("includedPermissions", []):
        if not any(permission in included for included in predefined_roles().values()):
            raise invalid(f"Permission {permission} is not valid.")
    name = f"{call.params['parent']}/roles/{short}"
    stored = {"stage": "ALPHA", **role, "name": name, "etag": "BwYAAAAAAAA="}
    if not cloud.store.create(ROLE, name, stored):
        raise already_exists(f"A role named {short} in {call.params['parent']}")
    return stored


@door("iam.projects.roles.get", "iam.roles.get")
def get_role(cloud: Cloud, call: Call) -> Json:
    """One custom role."""
    found = cloud.store.get(ROLE, call.params["name"])
    if found is None:
        raise not_found(f"The role named {call.params['name']}")
    return found


@door("iam.roles.get", None)
def get_predefined_role(cloud: Cloud, call: Call) -> Json:
    """One of Google's roles, with its permissions; anybody may look."""
    held = permissions_of(call.params["name"])
    if held is None:
        raise not_found(f"The role named {call.params['name']}")
    return {"name": call.params["name"], "stage": "GA", "includedPermissions": held}


@door("cloudresourcemanager.projects.get", "resourcemanager.projects.get")
def get_project(cloud: Cloud, call: Call) -> Json:
    """The one project there is."""
    if call.params["name"] not in (f"projects/{cloud.project}", f"projects/{cloud.number}"):
        raise not_found(call.params["name"])
    return {
        "name": f"projects/{cloud.number}",
        "projectId": cloud.project,
        "displayName": cloud.project,
        "state": "ACTIVE",
    }


plain_source(ACCOUNT)
plain_source(ROLE)
