"""Tests of `cloud.connect`."""

import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from sealtrain.cloud.connect import Cloud
from sealtrain.rules.errors import SettingsError

from tests.functions.memory import SETTINGS

CODE = """
import sys
from sealtrain.cloud.connect import Cloud
from sealtrain import edge
heavy = ("google.auth", "google.api_core", "google.cloud.", "requests", "grpc", "tink")
assert not [m for m in sys.modules if m.startswith(heavy)], "a client was imported at once"
"""


def cloud(endpoint: str | None = None) -> Cloud:
    """A cloud of test settings."""
    settings = msgspec.structs.replace(SETTINGS, endpoint=endpoint)
    return Cloud(settings, by="test", clock=lambda: datetime.now(UTC))


def test_importing_builds_and_imports_nothing() -> None:
    """A function pays for the clients that it asks for, and for no other."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "functions"},
    )
    assert done.returncode == 0, done.stderr


def test_an_endpoint_that_is_not_loopback_is_refused() -> None:
    """Whoever makes settings by hand meets the same check."""
    with pytest.raises(SettingsError):
        cloud("http://example.com:80")


def test_a_word_that_is_none_is_a_key_error() -> None:
    """The step table and this list are compared by its test."""
    with pytest.raises(KeyError):
        cloud().get("nothing")
