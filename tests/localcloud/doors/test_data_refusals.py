"""What the data doors refuse, sent raw, because the official clients would not send most of it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.localcloud.conftest import World

P = "projects/demo-project"
L = f"{P}/locations/us-central1"
RING = f"/v1/{L}/keyRings/refusals"
KEY = f"{RING}/cryptoKeys/k"
SIGNER = f"{RING}/cryptoKeys/s/cryptoKeyVersions/1"
LOG = {"logName": f"{P}/logs/x", "resource": {"type": "global"}}
SET = f"/bigquery/v2/{P}/datasets"
JOBS = f"/v1/{L}/jobs"
UPLOAD = "/upload/storage/v1/b/refusals/o"
PUSH = {"pushConfig": {"pushEndpoint": "https://x.cloudfunctions.net/x"}}
PUBLISH = {"topicName": f"{P}/topics/refusals", "data": "eA=="}

ONE = {"fields": [{"name": "a", "type": "STRING"}]}

STORAGE = [
    ("POST", "/storage/v1/b?project=other", {"name": "other-project"}, 404, "project other"),
    ("POST", "/storage/v1/b", {"name": "no-project"}, 400, "project"),
    ("POST", "/storage/v1/b?project=demo-project", {"name": "x", "colour": 1}, 400, "colour"),
    ("POST", "/storage/v1/b?project=demo-project", {"name": "wrong-type", "labels": []}, 400, "labels"),
    (
        "POST",
        "/storage/v1/b?project=demo-project",
        {"name": "flat", "hierarchicalNamespace": {"enabled": True}},
        501,
        "hierarchicalNamespace",
    ),
    ("GET", "/storage/v1/b?project=demo-project&maxResults=0", None, 400, "maxResults"),
    ("GET", "/storage/v1/b/refusals?colour=1", None, 400, "colour"),
    ("PATCH", "/storage/v1/b/refusals", {"location": "EU"}, 400, "location"),
    ("PATCH", "/storage/v1/b/refusals", {"labels": {"A": "x"}}, 400, "labels.A"),
    ("PATCH", "/storage/v1/b/refusals", {"labels": {f"l{n}": "" for n in range(65)}}, 400, "labels"),
    ("PATCH", "/storage/v1/b/refusals", {"retentionPolicy": {}}, 400, "retentionPeriod"),
    (
        "PATCH",
        "/storage/v1/b/refusals",
        {"retentionPolicy": {"retentionPeriod": "0"}},
        400,
        "retentionPeriod",
    ),
    (
        "PATCH",
        "/storage/v1/b/refusals",
        {"softDeletePolicy": {"retentionDurationSeconds": "60"}},
        400,
        "soft",
    ),
    (
        "PATCH",
        "/storage/v1/b/refusals",
        {"iamConfiguration": {"publicAccessPrevention": "maybe"}},
        400,
        "publicAccessPrevention",
    ),
    ("PATCH", "/storage/v1/b/refusals", {"encryption": {"defaultKmsKeyName": "k"}}, 400, "kmsKeyName"),
    (
        "POST",
        "/storage/v1/b/refusals/lockRetentionPolicy?ifMetagenerationMatch=1",
        None,
        400,
        "retention policy",
    ),
    ("GET", "/storage/v1/b/refusals/o?matchGlob=*", None, 501, "matchGlob"),
    ("GET", "/storage/v1/b/refusals/o?pageToken=x", None, 400, "pageToken"),
    ("PATCH", "/storage/v1/b/refusals/o/x", {"size": "9"}, 400, "size"),
    ("GET", "/storage/v1/b/refusals/o/x?ifGenerationMatch=x", None, 400, "ifGenerationMatch"),
    ("GET", "/storage/v1/b/refusals/o/x?ifMetagenerationNotMatch=1", None, 304, ""),
    (
        "DELETE",
        "/storage/v1/b/refusals/o/x?ifMetagenerationNotMatch=1",
        None,
        412,
        "ifMetagenerationNotMatch",
    ),
    ("POST", "/storage/v1/b/refusals/o/y/compose", {"sourceObjects": []}, 400, "sourceObjects"),
    (
        "POST",
        "/storage/v1/b/refusals/o/y/compose",
        {"sourceObjects": [{"name": "x"}], "deleteSourceObjects": True},
        501,
        "deleteSourceObjects",
    ),
    ("POST", "/storage/v1/b/refusals/o?name=x", {}, 400, "uploadType"),
    ("POST", f"{UPLOAD}?uploadType=multipart&name=x", {}, 400, "multipart"),
    ("POST", f"{UPLOAD}?uploadType=resumable", {"name": "x", "colour": 1}, 400, "colour"),
    (
        "POST",
        f"{UPLOAD}?uploadType=resumable",
        {"name": "x", "retention": {"mode": "Locked"}},
        501,
        "retention",
    ),
    ("POST", f"{UPLOAD}?uploadType=resumable", {"name": "\ud800"}, 400, "UTF-8"),
    ("PUT", f"{UPLOAD}?uploadType=resumable&upload_id=none", {}, 404, "upload session"),
    ("POST", "/storage/v1/b/refusals/notificationConfigs", {"topic": "x"}, 400, "topic"),
    (
        "POST",
        "/storage/v1/b/refusals/notificationConfigs",
        {"topic": f"//pubsub.googleapis.com/{P}/topics/none", "payload_format": "NONE"},
        404,
        "topics/none",
    ),
    (
        "POST",
        "/storage/v1/b/refusals/notificationConfigs",
        {"topic": f"//pubsub.googleapis.com/{P}/topics/refusals"},
        400,
        "payload_format",
    ),
    (
        "POST",
        "/storage/v1/b/refusals/notificationConfigs",
        {
            "topic": f"//pubsub.googleapis.com/{P}/topics/refusals",
            "payload_format": "NONE",
            "event_types": ["OBJECT_EATEN"],
        },
        400,
        "OBJECT_EATEN",
    ),
    ("GET", "/storage/v1/b/refusals/notificationConfigs/9", None, 404, "9"),
    ("DELETE", "/storage/v1/b/refusals/notificationConfigs/9", None, 404, "9"),
]
KMS = [
    ("POST", f"/v1/{L}/keyRings?keyRingId=a.b", {}, 400, "keyRingId"),
    ("GET", f"/v1/{L}/keyRings/none", None, 404, "KeyRing"),
    ("POST", f"{RING}/cryptoKeys?cryptoKeyId=x", {"purpose": "MAC"}, 501, "MAC"),
    ("POST", f"{RING}/cryptoKeys?cryptoKeyId=x", {"purpose": "SING"}, 400, "purpose"),
    ("POST", f"{RING}/cryptoKeys?cryptoKeyId=x", {"purpose": 77}, 400, "purpose"),
    (
        "POST",
        f"{RING}/cryptoKeys?cryptoKeyId=x",
        {"purpose": "ENCRYPT_DECRYPT", "versionTemplate": {"protectionLevel": "EXTERNAL"}},
        501,
        "EXTERNAL",
    ),
    (
        "POST",
        f"{RING}/cryptoKeys?cryptoKeyId=x",
        {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": {"algorithm": "RSA_SIGN_PSS_2048_SHA256"}},
        501,
        "RSA_SIGN_PSS_2048_SHA256",
    ),
    (
        "POST",
        f"{RING}/cryptoKeys?cryptoKeyId=x",
        {"purpose": "ENCRYPT_DECRYPT", "nextRotationTime": "soon"},
        400,
        "nextRotationTime",
    ),
    (
        "POST",
        f"{RING}/cryptoKeys?cryptoKeyId=x",
        {"purpose": "ENCRYPT_DECRYPT", "nextRotationTime": "2100-01-01T00:00:00"},
        400,
        "zone",
    ),
    (
        "POST",
        f"{RING}/cryptoKeys?cryptoKeyId=x",
        {"purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "30d", "nextRotationTime": "2100-01-01T00:00:00Z"},
        400,
        "rotationPeriod",
    ),
    (
        "POST",
        f"{RING}/cryptoKeys?cryptoKeyId=x",
        {
            "purpose": "ASYMMETRIC_SIGN",
            "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"},
            "nextRotationTime": "2100-01-01T00:00:00Z",
        },
        400,
        "ENCRYPT_DECRYPT",
    ),
    ("PATCH", KEY, {"labels": {}}, 400, "updateMask"),
    ("POST", f"{KEY}:updatePrimaryVersion", {"cryptoKeyVersionId": "9"}, 404, "CryptoKeyVersion"),
    ("POST", f"{RING}/cryptoKeys/none/cryptoKeyVersions", {}, 404, "CryptoKey"),
    ("GET", f"{KEY}/cryptoKeyVersions?filter=name=x", None, 501, "filter"),
    ("PATCH", f"{KEY}/cryptoKeyVersions/1?updateMask=name", {}, 400, "updateMask"),
    ("PATCH", f"{KEY}/cryptoKeyVersions/1?updateMask=state", {"state": "DESTROYED"}, 400, "DESTROYED"),
    ("POST", f"{KEY}/cryptoKeyVersions/1:restore", {}, 400, "ENABLED"),
    ("POST", f"{RING}/cryptoKeys/none:encrypt", {"plaintext": "eA=="}, 404, "CryptoKey"),
    ("POST", f"{RING}/cryptoKeys/empty:encrypt", {"plaintext": "eA=="}, 404, "CryptoKeyVersion"),
    ("POST", f"{KEY}:encrypt", {"plaintext": "!"}, 400, "plaintext"),
    ("POST", f"{KEY}:encrypt", {"plaintext": "eHh4" * 30_000}, 400, "65536"),
    ("POST", f"{KEY}:encrypt", {"plaintext": "eA==", "plaintextCrc32c": "1"}, 400, "plaintext_crc32c"),
    ("POST", f"{KEY}:decrypt", {"ciphertext": "bG9jYWwAAAAJ" + "A" * 60}, 400, "ciphertext"),
    ("POST", f"{SIGNER}:asymmetricSign", {}, 400, "exactly one"),
    ("POST", f"{SIGNER}:asymmetricSign", {"digest": {"sha512": "eA=="}}, 400, "sha512"),
    ("POST", f"{SIGNER}:asymmetricSign", {"digest": {"sha256": "eA=="}}, 400, "32"),
    ("POST", f"{KEY}:encrypt", {"plain": "eA=="}, 400, "plain"),
]
PUBSUB = [
    ("PUT", f"/v1/{P}/topics/goog-x", {}, 400, "name"),
    ("PUT", f"/v1/{P}/topics/ab", {}, 400, "name"),
    ("PUT", f"/v1/{P}/topics/other", {"schemaSettings": {"schema": "x"}}, 501, "schemaSettings"),
    ("PUT", f"/v1/{P}/topics/other", {"kmsKeyName": f"{L}/keyRings/none/cryptoKeys/k"}, 403, "gcp-sa-pubsub"),
    ("GET", f"/v1/{P}/topics/none", None, 404, "none"),
    ("POST", f"/v1/{P}/topics/refusals:publish", {"messages": []}, 400, "messages"),
    ("POST", f"/v1/{P}/topics/refusals:publish", {"messages": [{"data": "!"}]}, 400, "data"),
    ("POST", f"/v1/{P}/topics/refusals:publish", {"messages": [{"data": "e" * 14_000_000}]}, 400, "bytes"),
    ("POST", f"/v1/{P}/topics/refusals:publish", {"messages": [None]}, 400, "messages[0]"),
    ("PUT", f"/v1/{P}/subscriptions/other", {"topic": f"{P}/topics/none"}, 404, "none"),
    (
        "PUT",
        f"/v1/{P}/subscriptions/other",
        {
            "topic": f"{P}/topics/refusals",
            "pushConfig": {**PUSH["pushConfig"], "noWrapper": {"writeMetadata": True}},
        },
        501,
        "noWrapper",
    ),
    (
        "PUT",
        f"/v1/{P}/subscriptions/other",
        {"topic": f"{P}/topics/refusals", "deadLetterPolicy": {"deadLetterTopic": "x"}},
        400,
        "deadLetterTopic",
    ),
    ("POST", f"/v1/{P}/subscriptions/refusals:pull", {"maxMessages": 0}, 400, "maxMessages"),
    ("POST", f"/v1/{P}/subscriptions/refusals:acknowledge", {}, 400, "ackIds"),
    ("POST", f"/v1/{P}/subscriptions/refusals:acknowledge", {"ackIds": ["x"]}, 400, "ack ID"),
    (
        "POST",
        f"/v1/{P}/subscriptions/refusals:modifyAckDeadline",
        {"ackIds": ["x"], "ackDeadlineSeconds": 601},
        400,
        "601",
    ),
]
LOGGING = [
    ("POST", "/v2/entries:write", {"entries": [{**LOG, "timestamp": "noon"}]}, 400, "timestamp"),
    ("POST", "/v2/entries:write", {"entries": [{**LOG, "timestamp": "2026-01-01T00:00:00"}]}, 400, "zone"),
    ("POST", "/v2/entries:write", {"entries": [{**LOG, "severity": "LOUD"}]}, 400, "severity"),
    ("POST", "/v2/entries:list", {}, 400, "resourceNames"),
    ("POST", "/v2/entries:list", {"resourceNames": ["projects/other"]}, 404, "other"),
    ("POST", "/v2/entries:list", {"resourceNames": [P], "orderBy": "size"}, 400, "orderBy"),
    (
        "POST",
        "/v2/entries:list",
        {"resourceNames": [P], "filter": 'timestamp>"2026-01-01T00:00:00"'},
        400,
        "zone",
    ),
    ("POST", f"/v2/{P}/sinks", {"name": "a b"}, 400, "name"),
    ("GET", f"/v2/{P}/sinks/none", None, 404, "none"),
    ("DELETE", f"/v2/{P}/sinks/none", None, 404, "none"),
]
BIGQUERY = [
    ("POST", SET, {"datasetReference": {"datasetId": "a-b"}}, 400, "a-b"),
    ("GET", f"{SET}/none", None, 404, "none"),
    ("POST", f"{SET}/none/tables", {"tableReference": {"tableId": "t"}}, 404, "none"),
    ("POST", f"{SET}/refusals/tables", {"tableReference": {"tableId": "a b"}}, 400, "a b"),
    ("POST", f"{SET}/refusals/tables", {"tableReference": {"tableId": "t"}}, 501, "schema"),
    (
        "POST",
        f"{SET}/refusals/tables",
        {"tableReference": {"tableId": "t"}, "view": {"query": "SELECT 1"}},
        501,
        "view",
    ),
    (
        "POST",
        f"{SET}/refusals/tables",
        {"tableReference": {"tableId": "u"}, "schema": ONE, "timePartitioning": {"field": "a"}},
        400,
        "timePartitioning.field",
    ),
    (
        "POST",
        f"{SET}/refusals/tables",
        {"tableReference": {"tableId": "u"}, "schema": ONE, "clustering": {"fields": ["b"]}},
        400,
        "no such field: b",
    ),
    (
        "POST",
        f"{SET}/refusals/tables",
        {"tableReference": {"tableId": "u"}, "schema": ONE, "clustering": {"fields": ["a"] * 5}},
        400,
        "at most 4",
    ),
    ("POST", f"{SET}/refusals/tables/t/insertAll", {"rows": []}, 400, "rows"),
    ("POST", f"{SET}/refusals/tables/t/insertAll", {"templateSuffix": "x"}, 501, "templateSuffix"),
    ("GET", f"{SET}/refusals/tables/t/data?pageToken=x", None, 400, "pageToken"),
    ("GET", f"{SET}/refusals/tables/t/data?startIndex=-1", None, 400, "startIndex"),
    ("GET", f"{SET}/refusals/tables/t/data?selectedFields=a", None, 501, "selectedFields"),
    ("POST", f"/bigquery/v2/{P}/queries", {"query": "SELECT 1"}, 501, "useLegacySql"),
    (
        "POST",
        f"/bigquery/v2/{P}/queries",
        {"query": "SELECT ?", "useLegacySql": False, "parameterMode": "POSITIONAL"},
        400,
        "positional",
    ),
    (
        "POST",
        f"/bigquery/v2/{P}/queries",
        {"query": "SELECT STRUCT(1 AS a)", "useLegacySql": False},
        501,
        "STRUCT",
    ),
    ("POST", f"/bigquery/v2/{P}/jobs", {"configuration": {"load": {}}}, 501, "load"),
    (
        "POST",
        f"/bigquery/v2/{P}/jobs",
        {"jobReference": {"jobId": "a b"}, "configuration": {"query": {}}},
        400,
        "a b",
    ),
    (
        "POST",
        f"/bigquery/v2/{P}/jobs",
        {"configuration": {"query": {"query": "SELECT 1", "destinationTable": {"tableId": "t"}}}},
        501,
        "destinationTable",
    ),
    ("GET", f"/bigquery/v2/{P}/jobs/none", None, 404, "none"),
]
COLUMNS = [
    ([{"name": "1a", "type": "STRING"}], 400, "1a"),
    ([{"name": "a", "type": "GEOGRAPHY"}], 501, "GEOGRAPHY"),
    ([{"name": "a", "type": "STRING", "mode": "OFTEN"}], 400, "OFTEN"),
    ([{"name": "a", "type": "STRING"}, {"name": "A", "type": "STRING"}], 400, "Duplicate"),
]
SCHEDULER = [
    ("POST", JOBS, {"name": f"{L}/jobs/x", "schedule": "0 0 30 2 *", "pubsubTarget": PUBLISH}, 400, "never"),
    (
        "POST",
        JOBS,
        {"name": f"{L}/jobs/x", "schedule": "* * * * *", "appEngineHttpTarget": {}},
        501,
        "appEngine",
    ),
    ("POST", JOBS, {"name": f"{L}/jobs/x", "schedule": "* * * * *"}, 400, "target"),
    (
        "POST",
        JOBS,
        {"name": f"{L}/jobs/x", "schedule": "* * * * *", "httpTarget": {"uri": "ftp://x"}},
        400,
        "httpTarget.uri",
    ),
    (
        "POST",
        JOBS,
        {"name": f"{L}/jobs/x", "schedule": "* * * * *", "pubsubTarget": {**PUBLISH, "data": ""}},
        400,
        "data",
    ),
    (
        "POST",
        JOBS,
        {"name": f"{L}/jobs/taken", "schedule": "* * * * *", "pubsubTarget": PUBLISH},
        409,
        "taken",
    ),
    ("POST", f"{JOBS}/taken:resume", {}, 400, "PAUSED"),
]


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
    answer = requests.request(verb, ready.cloud.endpoint + path, json=body, timeout=10)
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
