"""Layers are unpacked without trusting anything in them."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.machine import unpack as module
from localcloud.machine.unpack import UnpackError, unpack
from tests.localcloud.machine.images import digest_of, layer_of


def lay(folder: Path, *layers: bytes, packed: bool = True) -> Path:
    """Unpack layers into folder/root."""
    files = []
    for number, layer in enumerate(layers):
        file = folder / f"layer{number}"
        file.write_bytes(gzip.compress(layer) if packed else layer)
        files.append(file)
    root = folder / "root"
    unpack(tuple(files), tuple(digest_of(layer) for layer in layers), root)
    return root


def special(kind: bytes, name: str = "x", target: str = "") -> bytes:
    """A layer with one entry that is not a plain file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [True, False])
def test_layers_lie_over_each_other(tmp_path: Path, packed: bool) -> None:
    """A later file replaces an earlier one; a whiteout removes it."""
    first = layer_of({"app/a": "1", "app/b": "1", "gone/c": "1"})
    second = layer_of({"app/a": "2", "app/.wh.b": "", "gone/.wh..wh..opq": "", "gone/d": "2"})
    root = lay(tmp_path, first, second, packed=packed)
    found = {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}
    assert found == {"app/a": "2", "gone/d": "2"}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layer_of({"../outside": "x"}), "leave"),
        (layer_of({"/etc/passwd": "x"}), "leave"),
        (special(tarfile.SYMTYPE, target="/etc"), "link or a device"),
        (special(tarfile.LNKTYPE, target="/etc/passwd"), "link or a device"),
        (special(tarfile.CHRTYPE), "link or a device"),
        (special(tarfile.FIFOTYPE), "link or a device"),
        (b"no tar archive" * 100, "not a tar"),
    ],
)
def test_what_could_do_harm_is_refused(tmp_path: Path, layer: bytes, message: str) -> None:
    """Leaving the folder, links, devices, pipes, garbage."""
    with pytest.raises(UnpackError, match=message):
        lay(tmp_path, layer)
    assert not (tmp_path / "outside").exists()


def test_content_must_have_the_digest_that_the_configuration_names(tmp_path: Path) -> None:
    """The uncompressed bytes, not only the compressed ones."""
    file = tmp_path / "layer"
    file.write_bytes(gzip.compress(layer_of({"a": "1"})))
    with pytest.raises(UnpackError, match="got content of"):
        unpack((file,), (digest_of(b"other"),), tmp_path / "root")


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive that grows beyond the limit is refused while it grows."""
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    with pytest.raises(UnpackError, match="more than"):
        lay(tmp_path, layer_of({"a": "0" * (2 << 20)}))


def test_a_whiteout_hides_a_whole_folder(tmp_path: Path) -> None:
    """By its name."""
    root = lay(tmp_path, layer_of({"gone/a/b": "1"}), layer_of({".wh.gone": ""}))
    assert list(root.iterdir()) == []


def test_what_only_begins_as_gzip_is_refused(tmp_path: Path) -> None:
    """The layer says so."""
    file = tmp_path / "layer"
    file.write_bytes(gzip.compress(b"x")[:10] + b"garbage that is none")
    with pytest.raises(UnpackError, match="not gzip"):
        unpack((file,), (digest_of(b"x"),), tmp_path / "root")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("a./\\ä "), min_size=1, max_size=12))
def test_no_name_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever an entry is called, every file lies inside the root, or the layer is refused."""
    folder = tmp_path_factory.mktemp("unpack")
    with contextlib.suppress(UnpackError, OSError):
        lay(folder, layer_of({name: "x"}))
    outside = [p for p in folder.rglob("*") if p.is_file() and not p.is_relative_to(folder / "root")]
    assert {p.name for p in outside} <= {"layer0", "layer0.tar"}


def test_a_layer_has_no_end_of_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is refused."""
    monkeypatch.setattr(module, "MAX_ENTRIES", 1)
    with pytest.raises(UnpackError, match="more than 1 entries"):
        lay(tmp_path, layer_of({"a": "", "b": ""}))
