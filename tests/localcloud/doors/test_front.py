"""The platform's front door: who may call a function, what it gets to see, and what happens when it fails."""

from __future__ import annotations

import json

import psutil
import pytest

from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import account, call, deploy

SHOW = """
import json, os

def main(request):
    print(json.dumps({"severity": "WARNING", "message": "seen", "event": "call.seen"}))
    return {"env": dict(os.environ), "authorization": request.headers.get("Authorization"),
            "pid": os.getpid(), "path": request.path, "query": request.args.get("q")}
"""
IDENTITY = """
import google.auth
from google.auth.transport.requests import Request

def main(request):
    credentials, project = google.auth.default()
    credentials.refresh(Request())
    return {"email": credentials.service_account_email, "project": project, "token": credentials.token}
"""
STUBBORN = """
import os, time

def main(request):
    if request.args.get("die"):
        os.kill(os.getpid(), 9)
    time.sleep(30)
"""


@pytest.fixture(scope="module")
def shown(world: World) -> World:
    deploy(world, "show", SHOW)
    return world


def token_of(world: World, short: str, function: str) -> str:
    url = f"https://us-central1-demo-project.cloudfunctions.net/{function}"
    return world.cloud.tokens.id_token(account(world, short), url)


def test_a_function_sees_nothing_of_the_stand_in(shown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is the platform's and its own, whatever the stand-in was started with."""
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "x")
    seen = call(shown, "show", params={"q": "1"}).json()
    assert "SECRET_OF_THE_PARENT" not in seen["env"]
    assert seen["env"]["K_SERVICE"] == "show"
    assert seen["env"]["PYTHONPATH"] == str(shown.cloud.time_folder)
    assert (seen["path"], seen["query"]) == ("/", "1")


def test_the_process_is_kept_warm_and_started_again_when_it_dies(shown: World) -> None:
    """Two calls meet one process; after it was killed, the next call meets another."""
    first, second = (call(shown, "show").json()["pid"] for _ in range(2))
    assert first == second
    master = psutil.Process(first).parent()
    assert master is not None
    psutil.Process(first).kill()
    master.kill()
    eventually(lambda: not psutil.pid_exists(first))
    assert call(shown, "show").json()["pid"] != first


def test_a_caller_needs_the_invoker_role(shown: World) -> None:
    """403 without it; with it the function sees the token without its signature."""
    token = token_of(shown, "somebody", "show")
    assert call(shown, "show", token).status_code == 403
    resource = "projects/demo-project/locations/us-central1/functions/show"
    shown.grant(resource, "roles/run.invoker", shown.member("somebody"))
    answer = call(shown, "show", token)
    assert answer.status_code == 200
    unsigned = token.rpartition(".")[0]
    assert answer.json()["authorization"] == f"Bearer {unsigned}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_a_false_token_is_refused(shown: World) -> None:
    """Wrong audience, broken signature, an access token: 401."""
    good = token_of(shown, "somebody", "show")
    access = shown.cloud.tokens.access_token(shown.member("somebody"))
    for token in (token_of(shown, "somebody", "other"), good[:-8] + "AAAAAAAA", access):
        assert call(shown, "show", token).status_code == 401


def test_what_a_function_prints_is_logged(shown: World) -> None:
    """A JSON line becomes a structured entry of the function's service, with its severity."""
    call(shown, "show")
    entries = shown.api("logging", "v2").entries()
    wanted = 'resource.labels.service_name="show" AND jsonPayload.event="call.seen"'
    body = {"resourceNames": ["projects/demo-project"], "filter": wanted}
    found = eventually(lambda: entries.list(body=body).execute().get("entries"))
    assert found[0]["severity"] == "WARNING"
    assert found[0]["resource"]["type"] == "cloud_run_revision"


def test_a_function_has_its_own_identity(world: World) -> None:
    """Application default credentials are those of its service account."""
    deploy(world, "identity", IDENTITY)
    told = json.loads(call(world, "identity").text)
    assert told["email"] == "run-identity@demo-project.iam.gserviceaccount.com"
    caller = world.cloud.tokens.caller(told["token"])
    assert caller is not None
    assert caller.email == told["email"]


def test_a_function_that_takes_too_long_or_dies_is_reported(world: World) -> None:
    """504 after its timeout; 503 when its process dies under the call; 503 when it cannot start."""
    deploy(world, "stubborn", STUBBORN, timeoutSeconds=1)
    assert call(world, "stubborn").status_code == 504
    assert call(world, "stubborn", params={"die": "1"}).status_code == 503
    deploy(world, "broken", "raise RuntimeError('at import')\n")
    assert call(world, "broken").status_code == 503


def test_an_unknown_function_is_not_found(world: World) -> None:
    """404, as the platform says it."""
    assert call(world, "nobody").status_code == 404
