"""Tests of `edge` and `main` through the real Functions Framework."""

import base64
import json
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import functions_framework
import msgspec
import pytest
from sealtrain import edge
from sealtrain.rules import step_table
from sealtrain.rules.errors import (
    ConflictError,
    EvidenceError,
    InvalidRequestError,
    JobFailedError,
    NotReadyError,
    RefusedError,
    SealtrainError,
    ThrottledError,
    UnavailableError,
)

SOURCE = str(Path(edge.__file__).parents[1] / "main.py")
ENVIRON = {
    "SEALTRAIN_PROJECT": "demo-project",
    "SEALTRAIN_PROJECT_NUMBER": "100000000001",
    "SEALTRAIN_REGION": "us-central1",
}


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The request of the function under test."""

    run: str
    count: int = 1


class Result(msgspec.Struct):
    """Its result."""

    run: str
    key: str


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serve a function whose module is replaced by one with the given verb; needs nothing built."""

    def start(name: str, verb: Any, request: Any = Request) -> Any:
        row = step_table.function(name)
        module = types.ModuleType(f"sealtrain.{row.kind}s.{name}")
        module.Request = request  # type: ignore[attr-defined]
        setattr(module, name, lambda request, **_: verb(request))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        rows = tuple(msgspec.structs.replace(r, needs=()) for r in step_table.FUNCTIONS)
        monkeypatch.setattr(step_table, "FUNCTIONS", rows)
        for key, value in {**ENVIRON, "FUNCTION_TARGET": name}.items():
            monkeypatch.setenv(key, value)
        return functions_framework.create_app(name, SOURCE).test_client()

    yield start
    os.environ.pop("FUNCTION_SIGNATURE_TYPE", None)


def push(data: Any) -> dict[str, Any]:
    """A raw Pub/Sub push body."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    message = {
        "data": base64.b64encode(raw).decode(), "attributes": {}, "messageId": "1",
        "publishTime": "2026-11-22T12:00:00Z",
    }  # fmt: skip
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


def raising(error: Exception) -> Any:
    """A verb that fails."""

    def verb(_: Any) -> None:
        raise error

    return verb


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The canonical line of the last call: one JSON object on stdout."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert len(lines) == 1
    found: dict[str, Any] = json.loads(lines[0])
    return found


def test_a_step_answers_its_result_and_writes_one_line(
    serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON in, JSON out, and the event of the step table with flat fields."""
    client = serve("create_key", lambda r: Result(run=r.run, key="k"))
    answer = client.post("/", json={"run": "r1"})
    assert (answer.status_code, answer.get_json()) == (200, {"run": "r1", "key": "k"})
    line = last_line(capsys)
    assert (line["event"], line["severity"], line["run"]) == ("key.created", "INFO", "r1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"run":"r","rum":1}', "rum"),
        (b'{"run":1}', "run"),
        (b"{}", "run"),
        (b"", "body"),
        (b"nope", "body"),
        (b"\xff", "body"),
        (b"[" * 100_000, "body"),
        (b'{"run":"' + b"x" * 300_000 + b'"}', "body"),
    ],
)
def test_a_bad_request_is_refused_by_field(serve: Any, body: bytes, field: str) -> None:
    """Unknown, missing, malformed or too large: 400, naming the field."""
    answer = serve("create_key", lambda r: Result(r.run, "k")).post("/", data=body)
    assert answer.status_code == 400
    told = answer.get_json()["error"]
    assert (told["code"], told["field"]) == ("invalid_request", field)
    assert told["expected"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequestError("no"), 400),
        (ConflictError("no"), 409),
        (EvidenceError("no"), 412),
        (RefusedError("no", code="source_changed"), 422),
        (JobFailedError("no"), 424),
        (ThrottledError("no"), 429),
        (NotReadyError("no"), 503),
    ],
)
def test_an_error_is_answered_by_its_type(serve: Any, error: SealtrainError, status: int) -> None:
    """The status follows from the type; the body says code and message."""
    answer = serve("create_key", raising(error)).post("/", json={"run": "r"})
    assert answer.status_code == status
    assert answer.get_json()["error"]["code"] == error.code


def test_waiting_is_no_warning(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A step that has to be asked again says so at INFO; what the platform refused stays a warning."""
    serve("create_key", raising(NotReadyError("not yet"))).post("/", json={"run": "r1"})
    waiting = last_line(capsys)
    assert (waiting["event"], waiting["severity"], waiting["status"]) == ("create_key.waiting", "INFO", 503)
    serve("create_key", raising(UnavailableError("no answer"))).post("/", json={"run": "r1"})
    failed = last_line(capsys)
    assert (failed["event"], failed["severity"]) == ("create_key.failed", "WARNING")


def test_an_unexpected_error_leaves_no_detail_outside(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The caller gets a reference; text and stack stand in the log under it."""
    answer = serve("create_key", raising(ValueError("inner secret"))).post("/", json={"run": "r1"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    line = last_line(capsys)
    assert line["severity"] == "ERROR"
    assert line["reference"] in answer.get_json()["error"]["remedy"]
    assert "inner secret" in line["stack"]


def test_bad_settings_are_named(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment mistake is a 500 that names the variable, not the caller's fault."""
    client = serve("create_key", lambda r: Result(r.run, "k"))
    monkeypatch.setenv("SEALTRAIN_REGION", "nowhere")
    answer = client.post("/", json={"run": "r1"})
    assert answer.status_code == 500
    assert answer.get_json()["error"]["field"] == "SEALTRAIN_REGION"


@pytest.mark.parametrize(
    "name", [row.name for row in step_table.LISTENERS if row.trigger.startswith("topic:")]
)
def test_a_push_reaches_each_listener_as_its_request(serve: Any, name: str) -> None:
    """A raw push body is decoded to the message's data, for every listener on a topic."""
    seen = []
    client = serve(name, lambda r: seen.append(r) or Result(r.run, "k"))
    answer = client.post("/", json=push({"run": "r1", "count": 2}))
    assert (answer.status_code, seen) == (200, [Request("r1", 2)])


def test_a_storage_event_reaches_start_run(serve: Any) -> None:
    """A CloudEvent in binary mode is decoded to its data."""
    seen = []
    client = serve("start_run", lambda r: seen.append(r) or Result(r.run, "k"))
    headers = {
        "ce-id": "1", "ce-source": "//storage.googleapis.com/projects/_/buckets/b", "ce-specversion": "1.0",
        "ce-type": "google.cloud.storage.object.v1.finalized", "Content-Type": "application/json",
    }  # fmt: skip
    answer = client.post("/", data=json.dumps({"run": "r1"}), headers=headers)
    assert (answer.status_code, seen) == (200, [Request("r1")])


@pytest.mark.parametrize("data", [b"not json", b"{}", b'{"run":"r","extra":1}', b"\xff"])
def test_a_poisoned_message_is_done_with(serve: Any, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """It is acknowledged, so that it does not come back, and the log says why."""
    answer = serve("record_completion", lambda r: Result(r.run, "k")).post("/", json=push(data))
    assert answer.status_code == 200
    line = last_line(capsys)
    assert (line["event"], line["code"]) == ("event.refused", "invalid_request")


def test_data_that_is_not_base64_is_done_with(serve: Any) -> None:
    """The envelope may be poisoned as well."""
    body = push(b"{}")
    body["message"]["data"] = "*"
    assert serve("sweep", lambda r: Result(r.run, "k")).post("/", json=body).status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotReadyError("wait"), 503),
        (ThrottledError("wait"), 429),
        (ConflictError("no"), 409),
        (ValueError("x"), 500),
    ],
)
def test_a_delivery_fails_so_that_it_comes_again(serve: Any, error: Exception, status: int) -> None:
    """Errors that may pass, and unexpected ones, fail the delivery; no detail leaves with the latter."""
    answer = serve("tear_down", raising(error)).post("/", json=push({"run": "r1"}))
    assert answer.status_code == status
    assert answer.get_json()["error"]["message"] != "x"


def test_a_refused_message_is_done_with(serve: Any) -> None:
    """What is refused for good is not delivered again."""
    client = serve("record_attestation", raising(RefusedError("unknown run")))
    assert client.post("/", json=push({"run": "r1"})).status_code == 200


def test_a_listener_with_nothing_to_do_says_so(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """No result, no claim that something happened."""
    serve("sweep", lambda _: None).post("/", json=push({"run": "r1"}))
    assert last_line(capsys)["event"] == "event.ignored"


def test_a_listener_may_take_the_bytes_as_issued(serve: Any) -> None:
    """A request of raw JSON is the message's own bytes."""
    seen = []
    client = serve("record_attestation", lambda r: seen.append(bytes(r)), msgspec.Raw)
    client.post("/", json=push(b'{"b": 1,  "a": 2}'))
    assert seen == [b'{"b": 1,  "a": 2}']


@pytest.mark.parametrize("row", step_table.FUNCTIONS, ids=lambda row: row.name)
def test_entry_points_are_plain_functions_of_their_name(row: step_table.Function) -> None:
    """The framework finds a function and its kind by name only."""
    make = edge.step if row.kind == "step" else edge.listener
    found = make(row.name, ENVIRON)
    assert isinstance(found, types.FunctionType)
    assert found.__name__ == row.name


def test_only_the_target_is_imported() -> None:
    """Other entry points cost nothing at start."""
    other = "sealtrain.steps.plan_capacity"
    kept = sys.modules.pop(other, None)
    try:
        edge.step("plan_capacity", {**ENVIRON, "FUNCTION_TARGET": "create_key"})
        assert other not in sys.modules
        edge.step("plan_capacity", {**ENVIRON, "FUNCTION_TARGET": "plan_capacity"})
        assert other in sys.modules
    finally:
        if kept is not None:
            sys.modules[other] = kept
