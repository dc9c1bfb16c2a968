"""The functions' archive."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.package import ROOT, archive, object_name


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout of our own."""
    (tmp_path / "functions" / "sealtrain").mkdir(parents=True)
    (tmp_path / "functions" / "main.py").write_text("one = 1\n")
    (tmp_path / "functions" / "sealtrain" / "__init__.py").write_text("")
    (tmp_path / "requirements.txt").write_text("functions-framework==3.10.2\n")
    return tmp_path


def test_the_same_sources_give_the_same_bytes(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another folder, other times, other modes, other order of making: the archive is equal byte for byte."""
    other = tmp_path_factory.mktemp("other") / "clone"
    shutil.copytree(checkout, other)
    for file in sorted(other.rglob("*.py"), reverse=True):
        os.utime(file, (1, 1_000_000_000))
        file.chmod(0o600)
    assert archive(checkout) == archive(other)


def test_a_changed_source_is_another_object(checkout: Path) -> None:
    """The object's name follows from the bytes, so a change is deployed and no change is not."""
    before = object_name(archive(checkout))
    (checkout / "functions" / "main.py").write_text("one = 2\n")
    assert object_name(archive(checkout)) != before


def test_bytecode_caches_and_hidden_files_stay_out(checkout: Path) -> None:
    """Only sources go in, main.py at the root and requirements.txt beside it."""
    cache = checkout / "functions" / "sealtrain" / "__pycache__"
    cache.mkdir()
    (cache / "x.cpython-311.pyc").write_bytes(b"x")
    (checkout / "functions" / ".env").write_text("secret")
    (checkout / "functions" / "main.py~").write_text("old")
    with zipfile.ZipFile(io.BytesIO(archive(checkout))) as made:
        assert made.namelist() == ["main.py", "requirements.txt", "sealtrain/__init__.py"]


def test_a_link_is_refused(checkout: Path) -> None:
    """A link could bring in anything of the machine that packs."""
    (checkout / "functions" / "link.py").symlink_to("/etc/passwd")
    with pytest.raises(CommandError, match="link"):
        archive(checkout)


def test_an_incomplete_checkout_is_refused_by_name(checkout: Path) -> None:
    """What is missing is named."""
    (checkout / "requirements.txt").unlink()
    with pytest.raises(CommandError) as refused:
        archive(checkout)
    assert refused.value.body.field == "requirements.txt"


def test_our_own_archive_has_the_entry_points_and_the_policy() -> None:
    """The real archive holds main.py, the package with its data files, and the pins."""
    with zipfile.ZipFile(io.BytesIO(archive(ROOT))) as made:
        names = set(made.namelist())
    assert {"main.py", "requirements.txt", "sealtrain/policy.toml", "sealtrain/rules/step_table.py"} <= names
    assert not [
        name for name in names if name.endswith(".pyc") or name.startswith(("cli", "localcloud", "tests"))
    ]
