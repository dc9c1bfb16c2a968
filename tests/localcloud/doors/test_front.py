"""The platform's front door: who may call a function, what it gets to see, and what happens when it fails."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from types import SimpleNamespace

import psutil
import pytest
import requests

from localcloud.doors import front, functions_process
from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import account, call, deploy

SHOW = """
import json, os

def main(request):
    print(json.dumps({"severity": "WARNING", "message": "seen", "event": "call.seen"}))
    print("{no JSON}")
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
    """Wrong audience, broken signature, an access token, another scheme than Bearer, too old: 401."""
    good = token_of(shown, "somebody", "show")
    access = shown.cloud.tokens.access_token(shown.member("somebody"))
    for token in (token_of(shown, "somebody", "other"), good[:-8] + "AAAAAAAA", access):
        assert call(shown, "show", token).status_code == 401
    url, basic = f"{shown.cloud.front}/show", {"Authorization": f"Basic {good}"}
    assert requests.get(url, headers=basic, timeout=10).status_code == 401
    shown.cloud.clock.advance(3601)
    assert call(shown, "show", good).status_code == 401


def test_what_a_function_prints_is_logged(shown: World) -> None:
    """A JSON line becomes a structured entry of the function's service, with its severity; another, text."""
    call(shown, "show")
    entries = shown.api("logging", "v2").entries()
    wanted = 'resource.labels.service_name="show" AND jsonPayload.event="call.seen"'
    body = {"resourceNames": ["projects/demo-project"], "filter": wanted}
    found = eventually(lambda: entries.list(body=body).execute().get("entries"))
    assert found[0]["severity"] == "WARNING"
    assert found[0]["resource"]["type"] == "cloud_run_revision"
    body["filter"] = 'textPayload="{no JSON}"'
    assert eventually(lambda: entries.list(body=body).execute().get("entries"))


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


def test_a_function_that_never_listens_is_not_started(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 when its time to start is over; its process is ended."""
    monkeypatch.setattr(functions_process, "_READY_WITHIN_S", 0.5)
    deploy(world, "silent", "import time; time.sleep(60)\n")
    assert "nothing listened" in call(world, "silent").text


def test_a_platform_that_shuts_down_starts_nothing(restarted: Callable[[], World]) -> None:
    """Whoever still calls gets 503."""
    world = restarted()
    deploy(world, "too-late", SHOW)
    functions_process.instances(world.cloud).stop()
    answer = call(world, "too-late")
    assert (answer.status_code, "shutting down" in answer.text) == (503, True)


def test_an_instance_that_refuses_twice_is_not_available(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died while idle, and so did the next: 503, and no third try."""
    made, asked = deploy(world, "refusing", STUBBORN), []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = SimpleNamespace(port=free.getsockname()[1])
    warm = SimpleNamespace(warm=lambda function: (asked.append(function["name"]), nobody)[1])
    monkeypatch.setattr(front, "instances", lambda _: warm)
    answer = call(world, "refusing")
    assert (answer.status_code, asked) == (503, [made["name"]] * 2)
    assert "no available instance" in answer.text


def test_an_unknown_function_is_not_found(world: World) -> None:
    """404, as the platform says it."""
    assert call(world, "nobody").status_code == 404
