"""Requests of the command line: where a path may lead, and which answers are asked for again."""

from __future__ import annotations

from contextlib import nullcontext

import msgspec
import pytest
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.errors import CloudError, CommandError, PlaceError
from cli.stand_in import StandIn

SETTINGS = Settings(
    project="demo-project", project_number="1", region="us-central1", endpoint="http://127.0.0.1:1"
)


@pytest.mark.parametrize(
    "path",
    [
        "v1/keys",
        "//elsewhere.example/v1",
        "@elsewhere.example/v1",
        "/v1/projects/p/../q:decrypt",
        "/v1/keys/%2e%2e/other",
        "/v1/keys/.",
        "/v1/key?alt=media",
        "/v1/key#x",
        "/v1/key\r\nHost: elsewhere.example",
        "/v1/k\u202eey",
        "/v1/\\elsewhere",
        "/v1//keys",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused_before_any_request(path: str) -> None:
    """A name from the server or from a person cannot choose another method or host."""
    with pytest.raises(CommandError, match="cannot be used in a request") as caught:
        Api(SETTINGS).get("cloudkms", path)
    assert not isinstance(caught.value, PlaceError)


@pytest.mark.parametrize(
    "path", ["/v1/p/k:decrypt", "/storage/v1/b/x/o/runs%2Fr%2Fa.json", "/v1/p/sa@x.y:get"]
)
def test_a_resource_path_is_taken(path: str) -> None:
    """The paths of Google's APIs pass; here nobody answers."""
    with pytest.raises(PlaceError, match="does not answer"):
        Api(SETTINGS).post("cloudkms", path)


@pytest.mark.parametrize(("status", "asked"), [(503, 2), (501, 1)])
def test_only_an_answer_that_may_change_is_asked_for_again(
    status: int, asked: int, stand_in: StandIn
) -> None:
    """Trouble may pass: a pause after each. What is not done now is not done later: one request, no pause."""
    pauses: list[float] = []
    api = Api(msgspec.structs.replace(SETTINGS, endpoint=stand_in.ready.endpoint), pauses.append)
    method = "iam.projects.serviceAccounts.list"
    api.call("DELETE", "control", "/_control/faults")  # what others planted here and met
    api.post("control", "/_control/faults", {"api": method, "answer": status, "times": 2})
    try:
        with nullcontext() if status == 503 else pytest.raises(CloudError, match="HTTP 501"):
            api.get("iam", "/v1/projects/demo-project/serviceAccounts")
        (fault,) = api.get("control", "/_control/faults")["faults"]
        assert fault["consumed"] == asked
        assert len(pauses) == (asked if status == 503 else 0)
    finally:
        api.call("DELETE", "control", "/_control/faults")
