"""Tests of `rules.uploads`."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules.errors import RefusedError
from sealtrain.rules.uploads import (
    Upload,
    check_object_name,
    check_upload,
    dataset_prefix,
    run_of,
    starts_run,
)


@pytest.mark.parametrize(
    "name",
    [
        "incoming/data.csv",
        "incoming/set/job.yaml",
        "incoming/..",
        "incoming/a\x00.csv",
        "incoming/a/b/job.yaml",
        "incoming/job.yaml",
    ],
)
def test_shapes_that_start_a_run(name: str) -> None:
    """A lone file or a job.yaml starts, even with a bad name: so its refusal is written down."""
    assert starts_run(name)


@pytest.mark.parametrize(
    "name",
    ["", "incoming", "incoming/", "incoming/set/", "incoming/set/data.csv", "refused/r1.json", "Incoming/x",
     "other/job.yaml", "incoming/set/job.yml", "/incoming/x"],
)  # fmt: skip
def test_shapes_that_start_nothing(name: str) -> None:
    """Data of a set, refusals and anything outside incoming/ start nothing."""
    assert not starts_run(name)


@pytest.mark.parametrize(
    "name",
    [
        "incoming/data.csv",
        "incoming/Patienten 2026 (Kopie).csv",
        "incoming/данные/файл.csv",
        "incoming/数据.csv",
        "incoming/set/sub/dir/part-1.csv",
        "incoming/café.csv",
        "incoming/..data.csv",
    ],
)
def test_ordinary_names_are_taken(name: str) -> None:
    """Names in any script are fine as long as they are what they look like."""
    check_object_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "incoming/../secret",
        "incoming/a/../b.csv",
        "incoming/./a.csv",
        "incoming//a.csv",
        "incoming/a/",
        "incoming/a\x00.csv",
        "incoming/a\n.csv",
        "incoming/a\x7f.csv",
        "incoming/\u202efdp.csv",
        "incoming/a\u200fb.csv",
        "incoming/a\u2066b.csv",
        "incoming/a\u200bb.csv",
        "incoming/a\u2028b.csv",
        "incoming/a\\b.csv",
        "incoming/" + "x" * 1015,
        "incoming/" + "é" * 260,
        "incoming/cafe\u0301.csv",
        "incoming/\ue000.csv",
        "incoming/set/j\u043eb.yaml",
        "incoming/set/Job.yaml",
        "\u0456ncoming/x.csv",
        "incoming/\uff2aob.yaml",
    ],
)
def test_names_that_could_deceive_are_refused(name: str) -> None:
    """The refusal names the field and what is allowed, and shows no raw control character."""
    with pytest.raises(RefusedError) as caught:
        check_object_name(name)
    body = caught.value.body
    assert body.code == "bad_object_name"
    assert body.expected
    assert all(unicodedata.category(c) not in {"Cc", "Cf"} for c in body.got or "")


@given(st.text(max_size=60))
def test_a_taken_name_has_only_plain_segments(tail: str) -> None:
    """Whatever is taken has no empty, `.` or `..` segment and no control or format character."""
    name = "incoming/" + tail
    try:
        check_object_name(name)
    except RefusedError:
        return
    assert not {"", ".", ".."} & set(name.split("/"))
    assert all(unicodedata.category(c)[0] != "C" for c in name)
    assert len(name.encode()) <= 512


@pytest.mark.parametrize(
    ("bucket", "name"),
    [
        ("other", "incoming/a.csv"),
        ("inbox", "refused/x"),
        ("inbox", "incoming/job.yaml"),
        ("inbox", "incoming/a/b/job.yaml"),
    ],
)
def test_uploads_at_the_wrong_place_are_refused(bucket: str, name: str) -> None:
    """An upload elsewhere, or a job.yaml at the wrong depth, becomes no run."""
    with pytest.raises(RefusedError) as caught:
        check_upload(Upload(bucket, name, "1", 1), "inbox")
    assert caught.value.code == "bad_upload"


def test_dataset_prefix() -> None:
    """A job's data lies beside its job.yaml; a lone file is its own data."""
    assert dataset_prefix("incoming/set/job.yaml") == "incoming/set/"
    assert dataset_prefix("incoming/file.csv") is None


def test_another_attempt_is_another_run() -> None:
    """The attempt number makes an intended re-run."""
    first, second = (run_of(Upload("b", "incoming/x", "1", n)) for n in (1, 2))
    assert first != second
