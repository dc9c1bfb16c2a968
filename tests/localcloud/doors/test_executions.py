"""Workflows deployed and run through Google's clients."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest
from google.cloud.workflows_v1 import Workflow, WorkflowsClient
from googleapiclient.errors import HttpError

from localcloud.doors import executions_run
from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import PARENT, account, deploy
from tests.localcloud.receiver import receiving

RETURN = "main:\n  params: [input]\n  steps:\n    - give:\n        return: ${input.a + 1}\n"
RAISE = "- fail:\n    raise: {code: 7, message: no luck}\n"
CALLBACK = """
- make:
    call: events.create_callback_endpoint
    args: {http_callback_method: POST}
    result: callback
- wait:
    call: events.await_callback
    args: {callback: "${callback}", timeout: 60}
    result: got
- done:
    return: ${got.http_request.body.answer}
"""
CALL_FUNCTION = """
- call:
    call: http.post
    args:
      url: https://us-central1-demo-project.cloudfunctions.net/called
      auth: {type: OIDC}
      body: {value: 41}
    result: answer
- done:
    return: ${answer.body}
"""
CALLED = "def main(request):\n    return {'value': request.get_json()['value'] + 1}\n"


def workflows(world: World) -> WorkflowsClient:
    return WorkflowsClient(
        credentials=world.credentials(None),
        transport="rest",
        client_options={"api_endpoint": world.cloud.endpoint},
    )


def install(world: World, name: str, source: str) -> str:
    """Deploy a workflow with an account of its own; its resource name."""
    email = account(world, f"runs-{name}")
    given = Workflow(source_contents=source, service_account=email)
    made = workflows(world).create_workflow(parent=PARENT, workflow=given, workflow_id=name).result()
    assert made.state == Workflow.State.ACTIVE
    return str(made.name)


def executions(world: World, caller: str | None = None) -> Any:
    api = world.api("workflowexecutions", "v1", caller)
    return api.projects().locations().workflows().executions()


def run(world: World, workflow: str, argument: object = None, caller: str | None = None) -> dict[str, Any]:
    body = {"argument": json.dumps(argument)}
    made: dict[str, Any] = executions(world, caller).create(parent=workflow, body=body).execute()
    return made


def ended(world: World, execution: dict[str, Any]) -> dict[str, Any]:
    """The execution when it is not ACTIVE any more."""
    name = execution["name"]

    def final() -> dict[str, Any] | None:
        got: dict[str, Any] = executions(world).get(name=name).execute()
        return None if got["state"] == "ACTIVE" else got

    found: dict[str, Any] = eventually(final, 20)
    return found


def test_an_execution_gives_its_result_and_its_history(world: World) -> None:
    """SUCCEEDED with JSON; each step is on record."""
    execution = ended(world, run(world, install(world, "adds", RETURN), {"a": 41}))
    assert (execution["state"], execution["result"]) == ("SUCCEEDED", "42")
    steps = executions(world).stepEntries().list(parent=execution["name"]).execute()["stepEntries"]
    assert [(step["step"], step["state"]) for step in steps] == [("give", "STATE_SUCCEEDED")]


def test_a_failed_execution_tells_payload_and_context(world: World) -> None:
    """FAILED; the raised map is the payload, the step stands in the context."""
    execution = ended(world, run(world, install(world, "raises", RAISE)))
    assert execution["state"] == "FAILED"
    assert json.loads(execution["error"]["payload"]) == {"code": 7, "message": "no luck"}
    assert "fail" in execution["error"]["context"]


def test_a_source_that_google_would_refuse_is_not_deployed(world: World) -> None:
    """400 with the reason; nothing is there afterwards."""
    account(world, "runs-wrong")
    given = Workflow(source_contents="- a:\n    cal: http.get\n", service_account="")
    with pytest.raises(BadRequest, match="cal"):
        workflows(world).create_workflow(parent=PARENT, workflow=given, workflow_id="wrong")
    assert "wrong" not in [w.name.rpartition("/")[2] for w in workflows(world).list_workflows(parent=PARENT)]


def test_a_patch_makes_a_new_revision(world: World) -> None:
    """Later executions run the new source."""
    name = install(world, "patched", RETURN)
    changed = Workflow(name=name, source_contents="- a:\n    return: new\n")
    client = workflows(world)
    before = client.get_workflow(name=name).revision_id
    client.update_workflow(workflow=changed, update_mask={"paths": ["source_contents"]}).result()
    assert client.get_workflow(name=name).revision_id != before
    assert ended(world, run(world, name))["result"] == '"new"'


@pytest.mark.parametrize(
    ("argument", "message"),
    [("not json", "argument"), (json.dumps("x" * 33_000), "at most 32768")],
)
def test_a_bad_argument_is_refused(world: World, argument: str, message: str) -> None:
    """Not JSON, or more than 32 KB: 400."""
    name = f"{PARENT}/workflows/adds"
    with pytest.raises(HttpError, match=message):
        executions(world).create(parent=name, body={"argument": argument}).execute()


def test_starting_needs_the_permission(world: World) -> None:
    """workflows.executions.create, which the invoker role holds."""
    name = install(world, "guarded", RETURN)
    account(world, "starter")
    with pytest.raises(HttpError, match=r"workflows\.executions\.create"):
        run(world, name, {"a": 1}, caller="starter")
    world.grant("projects/demo-project", "roles/workflows.invoker", world.member("starter"))
    assert ended(world, run(world, name, {"a": 1}, caller="starter"))["result"] == "2"


def test_a_workflow_calls_functions_as_its_own_account(world: World) -> None:
    """Refused without the invoker role, answered with it; the address is Google's."""
    function = deploy(world, "called", CALLED)
    name = install(world, "caller", CALL_FUNCTION)
    refused = ended(world, run(world, name))
    assert json.loads(refused["error"]["payload"])["code"] == 403
    world.grant(function["name"], "roles/run.invoker", world.member("runs-caller"))
    assert json.loads(ended(world, run(world, name))["result"]) == {"value": 42}


def callback_of(world: World, execution: dict[str, Any]) -> str:
    """The address of the execution's callback."""
    api = executions(world).callbacks()
    listed = eventually(lambda: api.list(parent=execution["name"]).execute().get("callbacks"))
    return f"{world.cloud.endpoint}/v1/{listed[0]['name']}"


def test_a_callback_takes_only_permitted_callers(world: World) -> None:
    """403 without workflows.callbacks.send, 405 for another verb, 404 elsewhere; then the payload arrives."""
    execution = run(world, install(world, "waits", CALLBACK))
    url = callback_of(world, execution)
    account(world, "sender")
    headers = {"Authorization": f"Bearer {world.cloud.tokens.access_token(world.member('sender'))}"}
    body = {"answer": "yes"}
    assert requests.post(url, json=body, headers=headers, timeout=10).status_code == 403
    assert requests.put(url, json=body, timeout=10).status_code == 405
    assert requests.post(url + "x", json=body, timeout=10).status_code == 404
    world.grant("projects/demo-project", "roles/workflows.invoker", world.member("sender"))
    assert requests.post(url, json=body, headers=headers, timeout=10).status_code == 200
    assert ended(world, execution)["result"] == '"yes"'


def test_a_cancelled_execution_ends(world: World) -> None:
    """CANCELLED; its callback takes nothing more; it cannot be cancelled twice."""
    execution = run(world, install(world, "cancelled", CALLBACK))
    url = callback_of(world, execution)
    assert executions(world).cancel(name=execution["name"], body={}).execute()["state"] == "CANCELLED"
    assert requests.post(url, json={}, timeout=10).status_code == 404
    with pytest.raises(HttpError, match="CANCELLED"):
        executions(world).cancel(name=execution["name"], body={}).execute()


def test_an_execution_that_is_cancelled_as_it_ends_stays_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result comes too late; and an execution that was never made leaves no thread behind."""

    def outcome(_: object, execution: dict[str, Any], __: object) -> dict[str, Any]:
        executions(world).cancel(name=execution["name"], body={}).execute()
        return {"state": "SUCCEEDED", "result": "1"}

    monkeypatch.setattr(executions_run, "_outcome", outcome)
    execution = run(world, install(world, "late", RETURN), {"a": 1})
    executions_run.begin(world.cloud, execution["name"] + "x")
    assert ended(world, execution)["state"] == "CANCELLED"
    names = {execution["name"], execution["name"] + "x"}
    eventually(lambda: not names & {name for _, name in list(executions_run._RUNNING)})
    assert "result" not in ended(world, execution)


def test_a_restart_goes_on_with_what_was_running(restarted: Callable[[], World]) -> None:
    """The call that was made before the restart is not made again; the callback still works."""
    world = restarted()
    with receiving() as receiver:
        first = f"- first:\n    call: http.post\n    args: {{url: '{receiver.url}', body: {{message: 1}}}}\n"
        execution = run(world, install(world, "survives", first + CALLBACK))
        callback_of(world, execution)
        assert receiver.messages() == [1]
        world = restarted()
        url = callback_of(world, execution)
        assert requests.post(url, json={"answer": "late"}, timeout=10).status_code == 200
        assert ended(world, execution)["result"] == '"late"'
        assert receiver.messages() == [1]


NOTES = """
- say: {call: sys.log, args: {data: {a: 1}, severity: WARNING}}
- plain: {call: sys.log, args: {text: a word}}
- number: {call: sys.log, args: {data: 7}}
- done: {return: '${len(uuid.generate())}'}
"""


def test_what_a_workflow_logs_is_found_in_the_log(world: World) -> None:
    """A map as JSON, a text as text, anything else as its JSON text; a random UUID has its length."""
    assert ended(world, run(world, install(world, "notes", NOTES)))["result"] == "36"
    body = {"resourceNames": ["projects/demo-project"], "filter": 'resource.labels.workflow_id="notes"'}
    found = world.api("logging", "v2").entries().list(body=body).execute()["entries"]
    told = [entry.get("jsonPayload", entry.get("textPayload")) for entry in found]
    assert [one for one in told if "state" not in one] == [{"a": 1}, "a word", "7"]


def test_an_execution_that_the_stand_in_cannot_run_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is FAILED, not ACTIVE for ever; the reason is on standard error."""
    workflow = install(world, "breaks", RETURN)
    monkeypatch.setattr(executions_run, "compile_source", lambda _: 1 / 0)
    execution = ended(world, run(world, workflow, {"a": 1}))
    assert (execution["state"], execution["error"]["payload"]) == ("FAILED", '"the stand-in failed"')
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_server_that_breaks_off_is_an_error_that_the_workflow_catches(world: World) -> None:
    """A body that ends too early is a ConnectionError."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

        threading.Thread(target=serve, daemon=True).start()
        source = BREAKS.replace("PORT", str(listener.getsockname()[1]))
        assert ended(world, run(world, install(world, "cut", source)))["result"] == '["ConnectionError"]'


BREAKS = """
- ask:
    try: {call: http.get, args: {url: "http://127.0.0.1:PORT/"}}
    except:
      as: e
      steps: [{caught: {return: '${e.tags}'}}]
"""
