"""Tests of `cloud.executions`."""

import msgspec
import pytest
from google.auth.credentials import AnonymousCredentials
from sealtrain.cloud.executions import Executions
from sealtrain.rules.errors import InvalidRequestError

from tests.functions.memory import SETTINGS


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9"])
@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/callback",
        "https://workflowexecutions.googleapis.com.example.com/x",
        "https://workflowexecutions.googleapis.com@example.com/x",
        "http://workflowexecutions.googleapis.com/x",
        "http://127.0.0.1:10/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_our_token_goes_to_workflows_only(endpoint: str | None, url: str) -> None:
    """A callback's address out of a stored record is checked before anything is sent there."""
    settings = msgspec.structs.replace(SETTINGS, endpoint=endpoint)
    with pytest.raises(InvalidRequestError):
        Executions(settings, AnonymousCredentials()).post_callback(url, {})
