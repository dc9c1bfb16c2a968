"""What is submitted: checked before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealtrain.rules.errors import RefusedError

from cli.errors import CommandError
from cli.upload import plan


def csv(folder: Path, name: str = "patients.csv") -> Path:
    """A small CSV."""
    file = folder / name
    file.write_text("a,b\n1,2\n")
    return file


def test_a_lone_file_goes_straight_under_incoming(tmp_path: Path) -> None:
    """No job, no folder."""
    assert [name for name, _ in plan(csv(tmp_path), None).files] == ["incoming/patients.csv"]


def test_a_file_with_a_job_becomes_a_folder_with_the_job_last(tmp_path: Path) -> None:
    """The job starts the run, so it comes when everything else is there."""
    job = tmp_path / "any-name.yaml"
    job.write_text("machine: {shape: n2d-standard-4}\n")
    names = [name for name, _ in plan(csv(tmp_path), job).files]
    assert names == ["incoming/patients/patients.csv", "incoming/patients/job.yaml"]


def test_a_folder_is_sent_whole_without_hidden_files(tmp_path: Path) -> None:
    """Sub-folders keep their paths; `.git` and the like stay."""
    data = tmp_path / "cohort"
    (data / "north").mkdir(parents=True)
    (data / ".git").mkdir()
    csv(data / "north")
    csv(data, "b.csv")
    (data / ".git" / "config").write_text("x")
    (data / "job.yaml").write_text("")
    names = [name for name, _ in plan(data, None).files]
    assert names == [
        "incoming/cohort/b.csv",
        "incoming/cohort/north/patients.csv",
        "incoming/cohort/job.yaml",
    ]


def test_a_folder_without_a_job_is_refused(tmp_path: Path) -> None:
    """Without job.yaml nothing would ever start."""
    csv(tmp_path)
    with pytest.raises(CommandError) as refused:
        plan(tmp_path, None)
    assert refused.value.body.field == "--job"


@pytest.mark.parametrize(("content", "said"), [(b"", "empty"), (b"a,b\n\x00\x01\n", "not a CSV")])
def test_data_that_cannot_be_is_refused_before_the_network(tmp_path: Path, content: bytes, said: str) -> None:
    """Empty files and binaries that call themselves CSV are named here already."""
    file = tmp_path / "x.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        plan(file, None)


def test_missing_data_is_refused(tmp_path: Path) -> None:
    """A path that does not exist is named."""
    with pytest.raises(CommandError, match="no such data"):
        plan(tmp_path / "nothing.csv", None)


def test_a_bad_job_is_refused_by_its_field(tmp_path: Path) -> None:
    """The job is parsed by the same rules as in the cloud."""
    job = tmp_path / "job.yaml"
    job.write_text("machin: {}\n")
    with pytest.raises(RefusedError) as refused:
        plan(csv(tmp_path), job)
    assert refused.value.body.field == "machin"


def test_a_linked_file_is_refused(tmp_path: Path) -> None:
    """What a link points at is not what was meant."""
    link = tmp_path / "link.csv"
    link.symlink_to(csv(tmp_path))
    with pytest.raises(CommandError, match="plain file"):
        plan(link, None)
