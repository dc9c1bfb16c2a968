"""What the data doors refuse, sent raw, because the official clients would not send most of it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.localcloud.conftest import World
from tests.localcloud.doors.refusals import (
    BIGQUERY,
    COLUMNS,
    JOBS,
    KMS,
    LOGGING,
    ONE,
    PUBLISH,
    PUBSUB,
    RING,
    SCHEDULER,
    SET,
    STORAGE,
    UPLOAD,
    L,
    P,
)


@pytest.fixture(scope="module")
def ready(world: World) -> World:
    """A stand-in in which the things that the refused calls name exist, and the keyboard may use keys."""
    ask = requests.Session()
    base = world.cloud.endpoint
    world.grant(P, "roles/owner", "user:you@localhost")
    sign = {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"}}
    table = {"tableReference": {"tableId": "t"}, "schema": ONE}
    for verb, path, body in (
        ("POST", "/storage/v1/b?project=demo-project", {"name": "refusals"}),
        ("POST", f"{UPLOAD}?uploadType=media&name=x", {}),
        ("POST", f"/v1/{L}/keyRings?keyRingId=refusals", {}),
        ("POST", f"{RING}/cryptoKeys?cryptoKeyId=k", {"purpose": "ENCRYPT_DECRYPT"}),
        ("POST", f"{RING}/cryptoKeys?cryptoKeyId=s", sign),
        (
            "POST",
            f"{RING}/cryptoKeys?cryptoKeyId=empty&skipInitialVersionCreation=true",
            {"purpose": "ENCRYPT_DECRYPT"},
        ),
        ("PUT", f"/v1/{P}/topics/refusals", {}),
        ("PUT", f"/v1/{P}/subscriptions/refusals", {"topic": f"{P}/topics/refusals"}),
        ("POST", SET, {"datasetReference": {"datasetId": "refusals"}}),
        ("POST", f"{SET}/refusals/tables", table),
        ("POST", JOBS, {"name": f"{L}/jobs/taken", "schedule": "0 0 1 1 *", "pubsubTarget": PUBLISH}),
    ):
        answer = ask.request(verb, base + path, json=body, timeout=10)
        assert answer.status_code == 200, answer.text
    return world


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "named"),
    [*STORAGE, *KMS, *PUBSUB, *LOGGING, *BIGQUERY, *SCHEDULER],
)
def test_refused(ready: World, verb: str, path: str, body: Any, status: int, named: str) -> None:
    """Each bad request gets Google's status and a message that names what is wrong."""
    answer = requests.request(verb, ready.cloud.endpoint + path, json=body, timeout=60)
    assert answer.status_code == status, answer.text
    assert named in answer.text
    assert status == 304 or answer.json()["error"]["code"] == status


@pytest.mark.parametrize(("fields", "status", "named"), COLUMNS)
def test_refused_columns(ready: World, fields: list[Any], status: int, named: str) -> None:
    """A table's schema is checked column by column."""
    body = {"tableReference": {"tableId": "columns"}, "schema": {"fields": fields}}
    answer = requests.post(f"{ready.cloud.endpoint}{SET}/refusals/tables", json=body, timeout=10)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    ("content_range", "status", "named"),
    [
        ("bytes 5-9/10", 400, "expected 0"),
        ("lines 1-2", 400, "Content-Range"),
        ("bytes 0-4/3", 400, "expected 3"),
    ],
)
def test_refused_chunks(ready: World, content_range: str, status: int, named: str) -> None:
    """A chunk that does not continue the upload is refused."""
    begun = requests.post(
        f"{ready.cloud.endpoint}{UPLOAD}?uploadType=resumable&name=chunk", json={}, timeout=10
    )
    headers = {"Content-Range": content_range}
    answer = requests.put(begun.headers["Location"], data=b"01234", headers=headers, timeout=10)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/related", b"x"),
        ("multipart/related; boundary=b", b"x"),
        ("multipart/related; boundary=b", b"--b\r\n\r\n{\r\n--b\r\n\r\nx\r\n--b--"),
    ],
)
def test_refused_multipart(ready: World, content_type: str, body: bytes) -> None:
    """A multipart body without boundary, parts or JSON is refused."""
    answer = requests.post(
        f"{ready.cloud.endpoint}{UPLOAD}?uploadType=multipart",
        data=body,
        headers={"Content-Type": content_type},
        timeout=10,
    )
    assert answer.status_code == 400, answer.text


def test_a_session_begins_with_json(ready: World) -> None:
    """A resumable upload whose metadata is no JSON is refused."""
    address = f"{ready.cloud.endpoint}{UPLOAD}?uploadType=resumable"
    assert requests.post(address, data=b"{", timeout=10).status_code == 400


def test_customer_supplied_keys_are_refused(ready: World) -> None:
    """Encryption with a key of the caller is not imitated, and not ignored."""
    headers = {"x-goog-encryption-algorithm": "AES256"}
    address = f"{ready.cloud.endpoint}{UPLOAD}?uploadType=media&name=csek"
    assert requests.post(address, data=b"x", headers=headers, timeout=10).status_code == 501
