"""Accounts, roles, policies, pools through Google's clients."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import Aborted, BadRequest, Conflict
from google.cloud import resourcemanager_v3
from google.iam.v1.policy_pb2 import Policy
from googleapiclient.errors import HttpError

from tests.localcloud.conftest import World
from tests.localcloud.deploying import account

PROJECT = "projects/demo-project"
POOLS = f"{PROJECT}/locations/global"


def iam(world: World, caller: str | None = None):
    return world.api("iam", "v1", caller).projects()


def test_an_account_is_made_once_and_found(world: World) -> None:
    """create, get (also with a dash for the project), list; a second create is 409."""
    email = account(world, "builder")
    for project in ("demo-project", "-"):
        got = iam(world).serviceAccounts().get(name=f"projects/{project}/serviceAccounts/{email}").execute()
        assert got["email"] == email
    listed = iam(world).serviceAccounts().list(name=PROJECT).execute()["accounts"]
    assert email in [found["email"] for found in listed]
    with pytest.raises(HttpError, match="already exists"):
        iam(world).serviceAccounts().create(name=PROJECT, body={"accountId": "builder"}).execute()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"accountId": "x"}, "accountId"),
        ({"accountId": "builder-2", "colour": "red"}, "colour"),
        ({"accountId": 7}, "accountId"),
        ({"accountId": "builder-2", "serviceAccount": "x"}, "serviceAccount"),
    ],
)
def test_a_bad_account_is_refused_by_field(world: World, body: dict, message: str) -> None:
    """Short, unknown, mistyped: 400."""
    with pytest.raises(HttpError, match=message) as error:
        iam(world).serviceAccounts().create(name=PROJECT, body=body).execute()
    assert error.value.status_code == 400


def test_a_custom_role_grants_what_it_holds(world: World) -> None:
    """A permission of the role is granted, another is not; an invented one is refused."""
    role = {"includedPermissions": ["iam.serviceAccounts.list"]}
    body = {"roleId": "lister", "role": role}
    made = iam(world).roles().create(parent=PROJECT, body=body).execute()
    got = iam(world).roles().get(name=made["name"]).execute()
    assert got["includedPermissions"] == role["includedPermissions"]
    account(world, "lister")
    world.grant(PROJECT, made["name"], world.member("lister"))
    iam(world, "lister").serviceAccounts().list(name=PROJECT).execute()
    with pytest.raises(HttpError, match=r"iam\.serviceAccounts\.create"):
        iam(world, "lister").serviceAccounts().create(name=PROJECT, body={"accountId": "other-1"}).execute()
    wrong = {"roleId": "wrong", "role": {"includedPermissions": ["iam.serviceAccounts.fly"]}}
    with pytest.raises(HttpError, match="is not valid"):
        iam(world).roles().create(parent=PROJECT, body=wrong).execute()


def projects(world: World) -> resourcemanager_v3.ProjectsClient:
    return resourcemanager_v3.ProjectsClient(
        credentials=world.credentials(None),
        transport="rest",
        client_options={"api_endpoint": world.cloud.endpoint},
    )


def test_audit_configurations_change_only_by_their_mask(world: World) -> None:
    """A policy written back without a mask leaves what is audited as it is (Google's default mask)."""
    api = world.api("cloudresourcemanager", "v3").projects()
    audits = [{"service": "storage.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    policy = api.getIamPolicy(resource=PROJECT, body={}).execute() | {"auditConfigs": audits}
    body = {"policy": policy, "updateMask": "bindings,etag,auditConfigs"}
    api.setIamPolicy(resource=PROJECT, body=body).execute()
    bare = {"bindings": policy["bindings"], "auditConfigs": []}
    api.setIamPolicy(resource=PROJECT, body={"policy": bare}).execute()
    assert api.getIamPolicy(resource=PROJECT, body={}).execute()["auditConfigs"] == audits


def test_the_projects_policy_is_read_changed_written(world: World) -> None:
    """The etag moves on; writing with the old one is refused."""
    client = projects(world)
    policy: Policy = client.get_iam_policy(resource=PROJECT)
    policy.bindings.add(role="roles/viewer", members=["user:auditor@example.com"])
    client.set_iam_policy(request={"resource": PROJECT, "policy": policy})
    with pytest.raises((Aborted, Conflict)):
        client.set_iam_policy(request={"resource": PROJECT, "policy": policy})
    assert client.get_project(name=PROJECT).project_id == "demo-project"


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"role": "viewer", "members": ["user:a@example.com"]}, "Role"),
        ({"role": "roles/viewer", "members": ["a@example.com"]}, "Invalid member"),
    ],
)
def test_a_bad_binding_is_refused(world: World, binding: dict, message: str) -> None:
    """Unknown role form, member without its kind: 400."""
    with pytest.raises(BadRequest, match=message):
        projects(world).set_iam_policy(request={"resource": PROJECT, "policy": {"bindings": [binding]}})


def test_a_pool_and_its_provider(world: World) -> None:
    """Made by the project's id, found by its number, answered with the number."""
    pools = iam(world).locations().workloadIdentityPools()
    made = pools.create(parent=POOLS, workloadIdentityPoolId="attested", body={}).execute()
    assert made["done"]
    name = "projects/100000000001/locations/global/workloadIdentityPools/attested"
    assert pools.get(name=f"{POOLS}/workloadIdentityPools/attested").execute()["name"] == name
    body = {
        "oidc": {"issuerUri": "https://confidentialcomputing.googleapis.com/"},
        "attributeMapping": {"google.subject": "assertion.sub"},
    }
    given = {"workloadIdentityPoolProviderId": "verifier", "body": body}
    pools.providers().create(parent=f"{POOLS}/workloadIdentityPools/attested", **given).execute()
    assert pools.providers().get(name=f"{name}/providers/verifier").execute()["state"] == "ACTIVE"
    for field, wrong in (
        ("attributeMapping", {**body, "attributeMapping": {}}),
        ("attributeCondition", {**body, "attributeCondition": "assertion.sub =="}),
        ("issuerUri", {**body, "oidc": {"issuerUri": "http://plain.example.com"}}),
    ):
        given = {"workloadIdentityPoolProviderId": "another", "body": wrong}
        with pytest.raises(HttpError, match=field):
            pools.providers().create(parent=name, **given).execute()
