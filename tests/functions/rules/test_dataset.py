"""Tests of `rules.dataset`."""

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules.dataset import SNIFFED_BYTES, check_csv, check_fits, source_objects
from sealtrain.rules.errors import RefusedError
from sealtrain.rules.job import SourceObject
from sealtrain.rules.resources import ObjectInfo
from sealtrain.rules.shapes import SHAPES


def info(name: str, size: int = 10) -> ObjectInfo:
    """An object of a listing."""
    return ObjectInfo("inbox", name, "7", size, "crc", "t")


def sniff(data: bytes) -> None:
    """Judge a whole file by its first bytes."""
    check_csv("x.csv", data[:SNIFFED_BYTES], len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n",
        b"a,b\r\n1,2\r\n",
        b"\xef\xbb\xbfa,b\n1,2",
        b'a,b\n"x, y","line\nbreak"\n',
        "größe,b\n1,é\n".encode(),
        b"a,b\n" + b"1,2\n" * 40_000,
        b"a,b\n" + "é,ü\n".encode() * 20_000,
        b"a,b\n\n1,2\n",
    ],
)
def test_csv_is_taken(data: bytes) -> None:
    """CSV as people write it, also when only its beginning is seen."""
    sniff(data)


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n",
        b"a\n1\n",
        b"a,b\n1,2,3\n",
        b"a,b\n1\n",
        b"\x00\x01\x02",
        b"a,b\n1,\x002\n",
        b"\xff\xfea\x00,\x00b\x00",
        b"PK\x03\x04 not a table",
        b'{"a": 1}',
        b"plain prose without any table in it\n" * 3,
        b'a,b\n"open,2\n',
        b"a,b\n\xe9,1\n",
    ],
)
def test_what_is_not_csv_is_refused(data: bytes) -> None:
    """The refusal names the file, what was found and what to do."""
    with pytest.raises(RefusedError) as caught:
        sniff(data)
    assert caught.value.code == "not_csv"


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (b"a;b;c\n1;2;3\n", "separate the fields by commas"),
        (b"a,b\n1,2\n1,2,3\n", "correct row 3"),
        (b"prose\nmore\n", "upload CSV"),
    ],
)
def test_a_csv_that_is_nearly_one_is_told_what_to_correct(data: bytes, remedy: str) -> None:
    """The remedy fits what was found; for what is no CSV at all it names the other format."""
    with pytest.raises(RefusedError) as caught:
        check_csv("x.csv", data, len(data))
    assert caught.value.body.remedy.startswith(remedy)
    assert "format: files" in caught.value.body.remedy
    assert caught.value.body.field == "x.csv"
    assert caught.value.body.remedy


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=8),
            min_size=3,
            max_size=3,
        ),
        min_size=2,
        max_size=30,
    )
)
def test_whatever_a_csv_writer_writes_is_taken(rows: list[list[str]]) -> None:
    """Quoting, commas and scripts of any kind are no reason to refuse."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    sniff(out.getvalue().encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    """Nothing but our one refusal leaves the check."""
    with contextlib.suppress(RefusedError):
        sniff(data)


def test_objects_are_listed_by_name_with_their_paths() -> None:
    """A set's paths are relative to its folder, a lone file's path is its name."""
    found = source_objects([info("incoming/s/b/c.csv"), info("incoming/s/a.csv")], "incoming/s/")
    assert [o.path for o in found] == ["a.csv", "b/c.csv"]
    assert source_objects([info("incoming/x.csv")], None)[0].path == "x.csv"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], "dataset_missing"),
        ([info("incoming/s/a.csv", 0)], "empty_dataset"),
        ([info("incoming/s/../a.csv")], "bad_object_name"),
        ([info(f"incoming/s/{n}") for n in range(4_001)], "dataset_too_large"),
        ([info(f"incoming/s/{n:0200d}") for n in range(1_300)], "dataset_too_large"),
    ],
)
def test_a_dataset_that_cannot_be_is_refused(found: list[ObjectInfo], code: str) -> None:
    """No file, an empty file, a bad name, too many files or too long names."""
    with pytest.raises(RefusedError) as caught:
        source_objects(found, "incoming/s/")
    assert caught.value.code == code


def test_data_must_fit_its_share_of_the_memory() -> None:
    """A quarter of the machine's memory is the data's."""
    shape = SHAPES["n2d-standard-2"]
    fits = SourceObject("n", "p", "1", shape.memory_bytes // 4, "c")
    check_fits([fits], shape)
    with pytest.raises(RefusedError) as caught:
        check_fits([fits, SourceObject("m", "q", "1", 1, "c")], shape)
    assert caught.value.code == "dataset_too_large"
