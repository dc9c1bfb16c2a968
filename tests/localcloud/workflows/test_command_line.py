"""The command line: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from localcloud.workflows import HttpRequest
from localcloud.workflows.local_host import LocalHost

ROOT = Path(__file__).resolve().parents[3]


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud.workflows", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_file(text: str, name: str = "flow.workflows.yaml") -> str:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write_file


def test_run_prints_the_result_as_json(write: Any) -> None:
    """The argument goes in, the result comes out, exit status 0."""
    file = write("main:\n  params: [a]\n  steps:\n    - out: {return: {got: '${a.x + 1}'}}\n")
    done = _command("run", file, "--data", '{"x": 1}')
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"got": 2}, "")


def test_run_takes_variables(write: Any) -> None:
    """--env adds to the platform's variables."""
    file = write(
        "- out:\n    return: ['${sys.get_env(\"MINE\")}', '${sys.get_env(\"GOOGLE_CLOUD_WORKFLOW_ID\")}']\n"
    )
    done = _command("run", file, "--env", '{"MINE": "x"}')
    assert json.loads(done.stdout) == ["x", "flow"]


def test_a_failed_execution_prints_its_error_and_exits_1(write: Any) -> None:
    """The error stands on standard error with value, tags, message, code and stack."""
    done = _command("run", write("- a: {raise: {code: 55, message: bad, tags: [Mine]}}\n"))
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout) == (1, "")
    assert (error["code"], error["message"], error["tags"]) == (55, "bad", ["Mine"])
    assert error["value"] == json.loads(error["payload"]) == {"code": 55, "message": "bad", "tags": ["Mine"]}
    assert error["stackTrace"]["elements"][0]["step"] == "a"


def test_a_failed_execution_with_a_string_prints_the_string(write: Any) -> None:
    """A raised string is the message."""
    error = json.loads(_command("run", write("- a: {raise: bad luck}\n")).stderr)["error"]
    assert error["message"] == error["value"] == "bad luck"


def test_run_refuses_what_a_deployment_would_and_exits_2(write: Any) -> None:
    """File, line and rule stand on standard error."""
    file = write("- a:\n    assign: [{x: '${y}'}]\n")
    done = _command("run", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{file}:2: undefined-variable: ")


def test_check_names_each_file_and_exits_by_the_worst(write: Any) -> None:
    """Good files are told as such, one bad file makes the exit status 2."""
    good, bad = write("- a: {return: 1}\n", "good.yaml"), write("- a: {}\n", "bad.yaml")
    done = _command("check", good, bad)
    assert (done.returncode, done.stdout) == (2, f"{good}: ok\n")
    assert done.stderr.startswith(f"{bad}:1: step-form: ")
    assert _command("check", good).returncode == 0


def test_a_connector_is_clearly_not_here(write: Any) -> None:
    """A connector call is refused by name."""
    done = _command("check", write("- a: {call: googleapis.storage.v1.buckets.get, args: {bucket: b}}\n"))
    assert done.returncode == 2
    assert "googleapis.storage.v1.buckets.get" in done.stderr
    assert "not here" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--data", "{"], ["--env", "[]"], ["--data", '"' + "x" * 33_000 + '"']]
)
def test_a_bad_argument_is_refused(write: Any, arguments: list[str]) -> None:
    """What is no JSON, no map or beyond 32 KB is told, with exit status 2."""
    assert _command("run", write("- a: {return: 1}\n"), *arguments).returncode == 2


def test_a_file_that_is_not_there_is_told() -> None:
    """No traceback for a missing file."""
    done = _command("run", "nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml: cannot be read" in done.stderr


def test_a_callback_is_reachable_on_the_loopback(write: Any) -> None:
    """The URL takes one request of its method, and the workflow goes on with it."""
    file = write(
        "- make: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: c}\n"
        "- wait: {call: events.await_callback, args: {callback: '${c}', timeout: 30}, result: r}\n"
        "- out: {return: {body: '${r.http_request.body}', q: '${r.http_request.query.q}'}}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud.workflows", "run", file],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    killer = threading.Timer(40, process.kill)
    killer.start()
    try:
        assert process.stderr is not None
        url = json.loads(process.stderr.readline())["payload"].split(" ")[-1]
        client = LocalHost("client", {})
        sent = HttpRequest("POST", url + "?q=1", {"Content-Type": "application/json"}, body=b'{"ok": true}')
        assert client.http(HttpRequest("GET", url)).status == 405
        assert client.http(HttpRequest("POST", url + "x")).status == 404
        assert client.http(sent).status == 200
        output, _ = process.communicate(timeout=20)
    finally:
        killer.cancel()
        process.kill()
    assert json.loads(output) == {"body": {"ok": True}, "q": "1"}
