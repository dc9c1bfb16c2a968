"""How JSON is read, as protobuf JSON is: types, formats, depth, numbers of enums, what is required."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.doors.discovery import document, methods
from localcloud.doors.errors import ApiError
from localcloud.doors.formats import scalar
from localcloud.doors.payload import parse_json
from localcloud.doors.required import NOT_INSISTED_ON
from localcloud.doors.schema import check_body, check_parameters


@pytest.mark.parametrize(
    ("kind", "form", "value", "read"),
    [
        ("integer", "int32", 7, 7),
        ("integer", "int32", "7", 7),
        ("integer", "int32", 7.0, 7),
        ("integer", "uint32", 2**32 - 1, 2**32 - 1),
        ("string", "int64", 2**63 - 1, str(2**63 - 1)),
        ("string", "uint64", "18446744073709551615", "18446744073709551615"),
        ("number", "double", 0.5, 0.5),
        ("boolean", None, False, False),
        ("string", "byte", "Z29vZA==", "Z29vZA=="),
        ("string", "byte", "-_", "-_"),
        ("string", "google-duration", "2592000s", "2592000s"),
        ("string", "google-duration", "0.000000001s", "0.000000001s"),
        ("string", "google-datetime", "2026-02-28T23:59:59.1+14:00", "2026-02-28T23:59:59.1+14:00"),
        ("string", "date-time", "2026-02-28t00:00:00z", "2026-02-28t00:00:00z"),
        ("string", "google-fieldmask", "labels,name", "labels,name"),
        ("any", None, [None], [None]),
    ],
)
def test_a_scalar_is_read(kind: str, form: str | None, value: Any, read: Any) -> None:
    """Whole numbers also as text; base64 in either alphabet, without padding; times with any zone."""
    assert scalar(kind, form, value) == read


@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [
        ("integer", "int32", 2**31),
        ("integer", "int32", 0.5),
        ("integer", "int32", True),
        ("integer", "int32", "7.0"),
        ("integer", "uint32", -1),
        ("string", "int64", 2**63),
        ("string", "int64", "seven"),
        ("number", "double", "0.5"),
        ("number", "double", 10**400),
        ("boolean", None, "false"),
        ("string", None, 7),
        ("string", None, "half \ud800"),
        ("string", "byte", "A"),
        ("string", "byte", "a b="),
        ("string", "google-duration", "30d"),
        ("string", "google-duration", "315576000001s"),
        ("string", "google-datetime", "2026-02-30T00:00:00Z"),
        ("string", "google-datetime", "2026-02-28T00:00:00"),
        ("string", "google-datetime", "tomorrow"),
    ],
)
def test_a_scalar_is_refused(kind: str, form: str | None, value: Any) -> None:
    """Of the wrong type, out of range, or not of the format."""
    with pytest.raises(ValueError):  # noqa: PT011 - it carries the value alone; the caller knows the field
        scalar(kind, form, value)


@pytest.mark.parametrize(
    "raw", [b"{", b"NaN", b'{"a": Infinity}', b"\xff", b"[" * 101 + b"]" * 101, b"[" * 10**5]
)
def test_a_payload_is_refused(raw: bytes) -> None:
    """No JSON, numbers that are none, bytes that are no text, more than a hundred levels."""
    with pytest.raises(ApiError, match="Invalid JSON payload"):
        parse_json(raw)


def test_a_payload_is_read() -> None:
    """A hundred levels, many values; nothing at all is an empty message."""
    assert parse_json(b"[" * 100 + b"]" * 100) != []
    assert len(parse_json(b"[" + b"[]," * 200 + b"[]]")) == 201
    assert parse_json(b"") == {}


def test_numbers_of_enums_become_names() -> None:
    """Google's clients over REST send numbers, in bodies and in queries; a number that is none is refused."""
    assert check_body("cloudkms", "CryptoKey", {"purpose": 1}) == {"purpose": "ENCRYPT_DECRYPT"}
    listed = next(methods("workflowexecutions.projects.locations.workflows.executions.list"))
    path = {"parent": "projects/p/locations/l/workflows/w"}
    assert check_parameters(listed, path, [("view", "2")])["view"] == "FULL"
    for wrong in ("9", "full", "²"):
        with pytest.raises(ApiError, match="view"):
            check_parameters(listed, path, [("view", wrong)])
    with pytest.raises(ApiError, match="purpose"):
        check_body("cloudkms", "CryptoKey", {"purpose": 4096})


def test_a_body_is_an_object() -> None:
    """Neither null nor a list."""
    for body in (None, []):
        with pytest.raises(ApiError, match="object"):
            check_body("cloudkms", "CryptoKey", body)


def test_a_patch_is_partial_and_may_remove() -> None:
    """Nothing is required of it; null stays in the older APIs, and is nothing in the newer ones."""
    body = {"friendlyName": None}
    assert check_body("bigquery", "Dataset", body, patch=True) == body
    assert check_body("cloudkms", "CryptoKey", {"labels": None}, patch=True) == {}
    with pytest.raises(ApiError, match="datasetReference"):
        check_body("bigquery", "Dataset", {"friendlyName": "x"})
    with pytest.raises(ApiError, match=r"datasetReference\.datasetId"):
        check_body("bigquery", "Dataset", {"datasetReference": {"datasetId": ""}})


@pytest.mark.parametrize("row", sorted(NOT_INSISTED_ON))
def test_each_row_of_the_reviewed_table_is_about_a_required_field(row: str) -> None:
    """A row that the documents no longer call required would be dead."""
    api, schema, field = row.split(".")
    spec = document(api)["schemas"][schema]["properties"][field]
    assert spec["description"].startswith("Required.") or spec["annotations"]["required"]
