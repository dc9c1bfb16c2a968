"""The train workflow with answers written down beforehand, for ways that a journey takes too long to go."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sealtrain.rules.job import LONGEST_RUN_S

from localcloud.workflows import (
    ExecutionError,
    HttpRequest,
    HttpResponse,
    MemoryJournal,
    compile_source,
    run,
)
from tests.localcloud.workflows.conftest import VirtualHost, response

SOURCE = (Path(__file__).parents[2] / "workflows" / "train.workflows.yaml").read_text()


BODIES = {
    "admit-run": {"admitted": True, "run": "r0123456789ab"},
    "seal-dataset": {"done": True},
    "reserve-capacity": {"state": "none"},
    "submit-job": {"state": "SUCCEEDED"},
}


@dataclass
class Functions:
    """The functions behind the workflow: `said` may give an answer; `called` keeps their order."""

    said: Callable[[str], dict[str, Any] | None]
    called: list[str] = field(default_factory=list)
    closed_with: Any = None
    started: list[tuple[str, Any]] = field(default_factory=list)  # executions: of which workflow, with what
    over_time: str = ""  # this one reaches the platform's limit: a page without words of its own

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "workflowexecutions" in request.url:
            if request.method == "POST":
                argument = json.loads(json.loads(request.body or b"{}")["argument"])
                self.started.append((request.url.split("/")[-2], argument))
            return response(json_body={"name": "e", "state": "SUCCEEDED"})
        self.called.append(request.url.rpartition("/")[2])
        if self.called[-1] == "close-run":
            self.closed_with = json.loads(request.body or b"{}")["failure"]
        if self.called[-1] == self.over_time:
            return response(status=504, text="<html>upstream request timeout</html>")
        body = self.said(self.called[-1]) or BODIES.get(self.called[-1], {})
        return response(status=422 if "error" in body else 200, json_body=body)


def train(functions: Functions, host: VirtualHost) -> None:
    """Run the workflow to its end."""
    host.answer = functions
    host.variables = {"GOOGLE_CLOUD_LOCATION": "l", "GOOGLE_CLOUD_PROJECT_ID": "p"}
    host.variables["GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID"] = "x"
    upload = {"bucket": "b", "object": "o", "generation": "1"}
    run(compile_source(SOURCE), upload, host, MemoryJournal())


def test_a_dataset_that_takes_several_calls_is_sealed_before_anything_else_is_made() -> None:
    """The workflow calls seal_dataset until it says that it is done, and only then reserves capacity."""

    def said(name: str) -> dict[str, Any] | None:
        return {"done": called.count(name) == 3} if name == "seal-dataset" else None

    functions = Functions(said)
    called = functions.called
    train(functions, VirtualHost())

    assert called.count("seal-dataset") == 3
    rest = called[len(called) - called[::-1].index("seal-dataset") :]
    assert rest[:2] == ["reserve-capacity", "start-vm"]
    assert called[-1] == "close-run"


def test_the_longest_job_fits_the_steps_of_an_execution() -> None:
    """A job of seven days is followed to its end; 100,000 steps would be enough for two weeks."""
    host = VirtualHost()
    end = host.now() + 2 * LONGEST_RUN_S

    def said(name: str) -> dict[str, Any] | None:
        return {"state": "RUNNING"} if name == "submit-job" and host.now() < end else None

    functions = Functions(said)
    train(functions, host)

    assert host.now() >= end
    assert functions.called[-2:] == ["publish-model", "close-run"]


def test_a_call_back_never_leaves_out_the_look_at_the_evidence() -> None:
    """Whoever wakes the workflow, it asks verify_evidence before it asks how the job stands."""
    host = VirtualHost(callbacks=[{"after": 1, "body": {}} for _ in range(3)])

    def said(name: str) -> dict[str, Any] | None:
        return {"state": "RUNNING"} if name == "submit-job" and host.callbacks else None

    functions = Functions(said)
    train(functions, host)

    followed = [name for name in functions.called if name in ("verify-evidence", "submit-job")]
    assert followed == ["verify-evidence", "submit-job"] * 4 + ["verify-evidence"]


def test_a_model_of_a_machine_that_lost_its_attestation_is_not_published() -> None:
    """The evidence is looked at once more after the job has ended; refused then, nothing is published."""

    def said(name: str) -> dict[str, Any] | None:
        if name == "verify-evidence" and "submit-job" in functions.called:
            return {"error": {"code": "evidence_refused", "message": "silence"}}
        return None

    functions = Functions(said)
    with pytest.raises(ExecutionError):
        train(functions, VirtualHost())

    assert "publish-model" not in functions.called
    assert functions.called[-1] == "close-run"


@pytest.mark.parametrize("comes", [True, False])
def test_the_last_word_of_a_machine_that_is_gone_is_waited_for_once(comes: bool) -> None:
    """It may be on its way: the job counts as lost only if a minute later nothing has come."""
    host = VirtualHost(callbacks=[{"after": 40, "body": {}}] if comes else [])
    began = host.now()

    def said(name: str) -> dict[str, Any] | None:
        if name != "submit-job":
            return None
        if comes and functions.called.count(name) > 1:
            return {"state": "SUCCEEDED"}
        return {"state": "LOST", "reason": "the VM is gone and left no word"}

    functions = Functions(said)
    if comes:
        train(functions, host)
        assert functions.called[-2:] == ["publish-model", "close-run"]
    else:
        with pytest.raises(ExecutionError):
            train(functions, host)
        assert functions.closed_with["code"] == "LOST"
    assert functions.called.count("submit-job") == 2
    assert host.now() - began >= (40 if comes else 60)


@pytest.mark.parametrize("name", ["plan-capacity", "create-key", "create-bucket", "start-vm"])
def test_a_function_that_ends_without_a_word_is_named(name: str) -> None:
    """The owner reads which function the platform ended, and how, also of two that run at once."""
    functions = Functions(lambda _: None, over_time=name)

    with pytest.raises(ExecutionError):
        train(functions, VirtualHost())

    assert functions.called.count(name) == 1
    assert functions.closed_with["code"] == "504"
    assert functions.closed_with["message"].startswith(f"{name.replace('-', '_')}: ")


@pytest.mark.parametrize("name", ["create-key", "create-bucket"])
def test_what_a_step_is_refused_is_told_in_its_own_words(name: str) -> None:
    """One of the two steps that run at once is refused: its own error reaches the owner."""
    error = {"code": "denied", "message": "the function's account may not do this", "remedy": "look"}
    functions = Functions(lambda called: {"error": error} if called == name else None)

    with pytest.raises(ExecutionError):
        train(functions, VirtualHost())

    assert functions.closed_with == error
    assert "seal-dataset" not in functions.called


@pytest.mark.parametrize("following", [None, 2])
def test_the_attempt_that_close_run_names_is_started_and_no_other(following: int | None) -> None:
    """After the teardown and the close, with the very upload; the run's own failure is still what is told."""

    def said(name: str) -> dict[str, Any] | None:
        if name == "submit-job":
            return {"state": "FAILED", "reason": "preempted"}
        return {"next_attempt": following} if name == "close-run" else None

    functions = Functions(said)
    with pytest.raises(ExecutionError, match="preempted"):
        train(functions, VirtualHost())

    assert [workflow for workflow, _ in functions.started] == ["tear_down", *(["train"] if following else [])]
    if following:
        argument = {"bucket": "b", "object": "o", "generation": "1", "attempt": following}
        assert functions.started[-1] == ("train", argument)
