"""The train workflow with answers written down beforehand, for ways that a journey takes too long to go."""

from __future__ import annotations

from pathlib import Path

from localcloud.workflows import HttpRequest, HttpResponse, MemoryJournal, compile_source, run
from tests.localcloud.workflows.conftest import VirtualHost, response

SOURCE = (Path(__file__).parents[2] / "workflows" / "train.workflows.yaml").read_text()


def test_a_dataset_that_takes_several_calls_is_sealed_before_anything_else_is_made() -> None:
    """The workflow calls seal_dataset until it says that it is done, and only then reserves capacity."""
    called: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        if "workflowexecutions" in request.url:
            return response(json_body={"name": "e", "state": "SUCCEEDED"})
        called.append(request.url.rpartition("/")[2])
        bodies = {
            "admit-run": {"admitted": True, "run": "r0123456789ab"},
            "seal-dataset": {"done": called.count("seal-dataset") == 3},
            "reserve-capacity": {"state": "none"},
            "submit-job": {"state": "SUCCEEDED"},
        }
        return response(json_body=bodies.get(called[-1], {}))

    variables = {"GOOGLE_CLOUD_LOCATION": "l", "GOOGLE_CLOUD_PROJECT_ID": "p"}
    variables["GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID"] = "x"
    upload = {"bucket": "b", "object": "o", "generation": "1"}
    run(
        compile_source(SOURCE), upload, VirtualHost(answer=answer, variables=variables), MemoryJournal()
    )

    assert called.count("seal-dataset") == 3
    rest = called[len(called) - called[::-1].index("seal-dataset") :]
    assert rest[:2] == ["reserve-capacity", "start-vm"]
    assert called[-1] == "close-run"
