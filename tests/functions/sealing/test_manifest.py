"""Manifests."""

import msgspec
import pytest
from sealtrain.sealing import Manifest, Part, SealedFile, SealingError, WrappedKey, parse_manifest

PART = Part("data/x/part-00000", 3, "sha256:aa", 40, "sha256:bb")
FILE = SealedFile("a/data.csv", 3, "sha256:aa", (PART,))
MANIFEST = Manifest("sha256:cc", "service", (FILE,), WrappedKey("k", "k/1", "AAAA", "sha256:dd"))


def refused(**changes: object) -> str:
    fields = msgspec.to_builtins(MANIFEST) | changes
    with pytest.raises(SealingError) as caught:
        parse_manifest(msgspec.json.encode(fields))
    return str(caught.value)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    """Encoding is canonical and parsing gives the same manifest."""
    assert parse_manifest(MANIFEST.encode()) == MANIFEST
    assert parse_manifest(MANIFEST.encode()).encode() == MANIFEST.encode()


def test_an_unknown_field_is_refused_by_name() -> None:
    """A field we do not know is named in the refusal."""
    assert "colour" in refused(colour="red")


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\\b", "a\0b", "\u202etxt", "x" * 1025]
)
def test_a_path_outside_its_directory_is_refused(path: str) -> None:
    """Paths that climb, hide or overflow are refused."""
    file = msgspec.structs.replace(FILE, path=path)
    assert "manifest path" in refused(files=[msgspec.to_builtins(file)])


def test_sizes_must_add_up() -> None:
    """A file whose parts do not make its size is refused."""
    file = msgspec.structs.replace(FILE, size=4)
    assert "add up to 4" in refused(files=[msgspec.to_builtins(file)])


def test_a_file_without_parts_is_refused() -> None:
    """Even an empty file has one part."""
    file = SealedFile("empty", 0, "sha256:aa", ())
    assert "0 parts" in refused(files=[msgspec.to_builtins(file)])


def test_nothing_is_named_twice() -> None:
    """A path or an object that stands twice is refused."""
    again = SealedFile("b", 3, "sha256:aa", (PART,))
    assert "path" in refused(files=[msgspec.to_builtins(FILE)] * 2)
    assert "object" in refused(files=[msgspec.to_builtins(file) for file in (FILE, again)])


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"version":2}', b"{}"])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Bytes of another form give our error."""
    with pytest.raises(SealingError, match="manifest document"):
        parse_manifest(data)
