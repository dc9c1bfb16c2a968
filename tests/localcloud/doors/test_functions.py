"""Deploying functions with Google's discovery-based client."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from googleapiclient.errors import HttpError

from localcloud.doors import functions as doors
from localcloud.machine import processes
from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import PARENT, account, archive, call, deploy, function_body

ECHO = "def main(request):\n    import os\n    return os.environ.get('GREETING', 'none')\n"


def functions(world: World, caller: str | None = None):
    return world.api("cloudfunctions", "v2", caller).projects().locations().functions()


def test_a_deployed_function_is_active_and_found(world: World) -> None:
    """create, get, list and operations.get agree."""
    made = deploy(world, "found", ECHO)
    name = f"{PARENT}/functions/found"
    assert made["state"] == "ACTIVE"
    assert made["url"] == "https://us-central1-demo-project.cloudfunctions.net/found"
    got = functions(world).get(name=name).execute()
    assert got["serviceConfig"]["timeoutSeconds"] == 60
    assert not [key for key in got if key.startswith("_")]
    assert name in [f["name"] for f in functions(world).list(parent=PARENT).execute()["functions"]]


def test_patch_deploys_anew(world: World) -> None:
    """A changed variable is seen by the next call, in a new revision."""
    before = deploy(world, "patched", ECHO, environmentVariables={"GREETING": "one"})
    assert call(world, "patched").text == "one"
    body = {"serviceConfig": {"environmentVariables": {"GREETING": "two"}}}
    mask = "serviceConfig.environmentVariables"
    operation = functions(world).patch(name=before["name"], body=body, updateMask=mask).execute()
    assert operation["response"]["serviceConfig"]["revision"] != before["serviceConfig"]["revision"]
    assert call(world, "patched").text == "two"


def test_a_patch_takes_away_what_its_mask_names_and_its_body_does_not(world: World) -> None:
    """The variables are gone in the next revision."""
    before = deploy(world, "emptied", ECHO, environmentVariables={"GREETING": "one"})
    mask = "service_config.environment_variables"
    functions(world).patch(name=before["name"], body={}, updateMask=mask).execute()
    assert call(world, "emptied").text == "none"


def test_of_two_that_create_a_function_at_once_one_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the name free and build; one is made, the other gets 409."""
    body, both, built = function_body(world, "raced", ECHO), threading.Barrier(2), doors._built
    monkeypatch.setattr(doors, "_built", lambda *given: (both.wait(10), built(*given))[1])

    def create(_: int) -> int:
        try:
            functions(world).create(parent=PARENT, functionId="raced", body=body).execute()
        except HttpError as error:
            return error.status_code
        return 200

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(create, range(2))) == [200, 409]


def test_a_deleted_function_is_gone(world: World) -> None:
    """Neither the API nor the front door knows it afterwards, and its process has ended."""
    made = deploy(world, "gone", ECHO)
    assert call(world, "gone").status_code == 200
    process = processes.running(world.cloud, f"function/{made['name']}")
    assert process is not None
    functions(world).delete(name=made["name"]).execute()
    eventually(lambda: not process.is_running())
    with pytest.raises(HttpError) as error:
        functions(world).get(name=made["name"]).execute()
    assert error.value.status_code == 404
    assert call(world, "gone").status_code == 404


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({"other.py": ""}), "missing main.py"),
        (archive({"main.py": ECHO, "../outside.py": ""}), "cannot be unpacked"),
        (b"no zip", "not a zip archive"),
        (archive({"main.py/": ""}), "missing main.py"),
    ],
)
def test_a_bad_archive_is_refused(world: World, content: bytes, message: str) -> None:
    """No main.py at the root, a path that leaves the folder, no zip, a folder for main.py: 400, and why."""
    with pytest.raises(HttpError, match=message) as error:
        deploy(world, "bad", content)
    assert error.value.status_code == 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"buildConfig": {"runtime": "python311"}}, "buildConfig.entryPoint"),
        ({"serviceConfig": {"serviceAccountEmail": ""}}, "serviceConfig.serviceAccountEmail"),
        ({"serviceConfig": {"colour": "red"}}, "colour"),
        ({"environment": "GEN_9"}, "TYPE_ENUM"),
        ({"serviceConfig": {"timeoutSeconds": "soon"}}, "timeoutSeconds"),
    ],
)
def test_a_bad_body_is_refused_by_field(world: World, change: dict, message: str) -> None:
    """Missing, unknown, mistyped and not enumerated fields: 400 that names the field."""
    body = {**function_body(world, "wrong", ECHO), **change}
    with pytest.raises(HttpError, match=message) as error:
        functions(world).create(parent=PARENT, functionId="wrong", body=body).execute()
    assert error.value.status_code == 400


def test_deploying_needs_the_permission_and_the_right_to_act_as(world: World) -> None:
    """A developer may deploy only with an account that they may use."""
    account(world, "developer")
    with pytest.raises(HttpError, match=r"cloudfunctions\.functions\.create"):
        deploy(world, "denied", ECHO, caller="developer")
    world.grant("projects/demo-project", "roles/cloudfunctions.developer", world.member("developer"))
    with pytest.raises(HttpError, match=r"iam\.serviceAccounts\.actAs"):
        deploy(world, "denied", ECHO, caller="developer")
    email = account(world, "run-denied")
    resource = f"projects/demo-project/serviceAccounts/{email}"
    world.grant(resource, "roles/iam.serviceAccountUser", world.member("developer"))
    assert deploy(world, "denied", ECHO, caller="developer")["state"] == "ACTIVE"
