"""The demo's data."""

from __future__ import annotations

import csv
from pathlib import Path

from cli.dataset import write_breast_cancer


def test_the_data_is_whole_and_the_diagnosis_comes_last(tmp_path: Path) -> None:
    """569 patients, 30 features, two diagnoses; the same bytes every time."""
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    assert write_breast_cancer(first) == (569, 30)
    write_breast_cancer(second)
    assert first.read_bytes() == second.read_bytes()
    with first.open() as file:
        head, *rows = csv.reader(file)
    assert (len(rows), len(head), head[-1]) == (569, 31, "diagnosis")
    assert {row[-1] for row in rows} == {"malignant", "benign"}
