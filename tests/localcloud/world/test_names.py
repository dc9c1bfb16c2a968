"""Where Google's addresses are answered on this machine."""

from __future__ import annotations

import pytest

from localcloud.world.names import resolve
from tests.localcloud.conftest import World


@pytest.mark.parametrize(
    ("url", "where", "rest"),
    [
        ("https://us-central1-demo-project.cloudfunctions.net/create-key", "front", "/create-key"),
        ("https://us-central1-demo-project.cloudfunctions.net/x/y?a=1", "front", "/x/y?a=1"),
        ("https://storage.googleapis.com/storage/v1/b/x?a=b%20c", "endpoint", "/storage/v1/b/x?a=b%20c"),
        ("https://us-central1-docker.pkg.dev/v2/", "endpoint", "/v2/"),
    ],
)
def test_google_addresses_are_local(world: World, url: str, where: str, rest: str) -> None:
    """Functions lead to the front door, APIs and the registry to the API port; path and query stay."""
    assert resolve(world.cloud, url) == getattr(world.cloud, where) + rest


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/x", "https://example.com/x", "http://storage.googleapis.com/x"]
)
def test_other_addresses_stay(world: World, url: str) -> None:
    """What is not Google's, or not https, is left as it is."""
    assert resolve(world.cloud, url) == url
