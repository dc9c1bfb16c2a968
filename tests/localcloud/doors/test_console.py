"""The console page of the control door."""

from __future__ import annotations

import json

import requests

from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import PARENT, account
from tests.localcloud.doors.test_executions import CALLBACK, RAISE, install, run

FAIL = """
main:
  params: [input]
  steps:
    - fail:
        raise: {code: 422, body: {error: {message: "no luck", field: "${input.object}"}}}
"""


def page(world: World, **headers: str) -> requests.Response:
    return requests.get(f"{world.cloud.endpoint}/_control/console", headers=headers, timeout=30)


def test_the_page_shows_executions_resources_and_calls(world: World) -> None:
    """What was given, the state, what came of it in the called service's own words; the last calls."""
    account(world, "shown-here")
    workflow = install(world, "shown-workflow", FAIL)
    started = run(world, workflow, {"object": "incoming/patients.csv", "attempt": 1})
    eventually(lambda: started["name"].rpartition("/")[2][:8] in page(world).text)
    eventually(lambda: "no luck" in page(world).text)
    found = page(world)
    assert found.headers["Content-Type"].startswith("text/html")
    for shown in ("shown-workflow", "incoming/patients.csv", "FAILED", "serviceAccounts.create", "SIMULATED"):
        assert shown in found.text


def test_the_page_tells_where_an_execution_stands(world: World) -> None:
    """The step it entered last and its argument, if only a text; of an error without more, the whole."""
    install(world, "standing", CALLBACK.replace("- wait:", "- waits_for_the_owner:"))
    run(world, f"{PARENT}/workflows/standing", "a lone text")
    eventually(lambda: "waits_for_the_owner" in page(world).text)
    assert "a lone text" in page(world).text
    run(world, install(world, "plain-error", RAISE))
    eventually(lambda: "no luck" in page(world).text)


def test_the_page_runs_nothing_and_escapes_what_came_from_outside(world: World) -> None:
    """No script, nothing loaded; a hostile argument is text."""
    workflow = install(world, "hostile-workflow", FAIL)
    run(world, workflow, {"object": "<script>alert(1)</script><img src=x>"})
    eventually(lambda: "&lt;script&gt;" in page(world).text)
    found = page(world)
    for word in ("<script", "<img", "<link", "<form", "@import", "url("):
        assert word not in found.text
    assert "default-src 'none'" in found.headers["Content-Security-Policy"]


def test_the_control_door_is_closed_to_scripts_of_web_pages(world: World) -> None:
    """A page that a browser visits cannot reset the stand-in: its requests carry an origin."""
    origin = {"Origin": "http://elsewhere.example"}
    for ask in ("reset", "clock"):
        url = f"{world.cloud.endpoint}/_control/{ask}"
        answer = requests.post(url, data=json.dumps({"advance": 1}), headers=origin, timeout=30)
        assert answer.status_code == 403
        assert "elsewhere.example" in answer.text
    assert page(world, **origin).status_code == 403
    assert page(world).status_code == 200
