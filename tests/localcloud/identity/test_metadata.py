"""The metadata server, asked as a program on Google Cloud asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from localcloud.identity.metadata import Identity, MetadataServer

ACCOUNT = "instance/service-accounts/default"
FLAVOUR = {"Metadata-Flavor": "Google"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    told = Identity("a@p.iam", "p", "1", "r", lambda: ("t", 60), "for {}".format, {"key": "value"})
    running = MetadataServer(told)
    yield f"http://{running.address}/computeMetadata/v1/"
    running.close()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{ACCOUNT}/identity?audience=x", "for x"),
        (f"{ACCOUNT}/", "aliases\nemail\nidentity\nscopes\ntoken\n"),
        (f"{ACCOUNT}/?recursive=true", '"aliases": ["default"]'),
        ("instance/attributes/key", "value"),
        ("project/project-id", "p"),
    ],
)
def test_a_program_learns_who_it_is(server: str, path: str, text: str) -> None:
    """Account, token for an audience, attributes, project."""
    answer = requests.get(server + path, headers=FLAVOUR, timeout=5)
    assert answer.status_code == 200
    assert text in answer.text


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("project/project-id", {}, 403),
        ("project/project-id", {**FLAVOUR, "X-Forwarded-For": "x"}, 403),
        (f"{ACCOUNT}/identity", FLAVOUR, 404),
        ("instance/attributes/none", FLAVOUR, 404),
        ("none", FLAVOUR, 404),
    ],
)
def test_nothing_is_told_through_a_proxy_or_by_chance(
    server: str, path: str, headers: dict, code: int
) -> None:
    """Without the header, forwarded, without an audience, or for what is not there."""
    assert requests.get(server + path, headers=headers, timeout=5).status_code == code
