"""The demo's data."""

from __future__ import annotations

import csv
from pathlib import Path

from sklearn.datasets import load_breast_cancer

from cli.dataset import write_breast_cancer


def test_the_data_is_the_librarys_own_number_for_number(tmp_path: Path) -> None:
    """569 patients, 30 features in the library's order, the diagnosis last, in the library's words."""
    file = tmp_path / "a.csv"
    assert write_breast_cancer(file) == (569, 30)
    with file.open() as source:
        head, *rows = csv.reader(source)
    data = load_breast_cancer()
    assert [name.replace("_", " ") for name in head] == [*data.feature_names, "diagnosis"]
    assert [[float(value) for value in row[:-1]] for row in rows] == data.data.tolist()
    assert [row[-1] for row in rows] == [data.target_names[label] for label in data.target]


def test_the_same_bytes_come_every_time(tmp_path: Path) -> None:
    """The demo's dataset has one digest."""
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    write_breast_cancer(first)
    write_breast_cancer(second)
    assert first.read_bytes() == second.read_bytes()
