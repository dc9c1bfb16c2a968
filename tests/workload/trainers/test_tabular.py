"""The example trainer for tables."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from workload.trainers.tabular import trainer
from workload.trainers.tabular.trainer.model import predict
from workload.trainers.tabular.trainer.table import TableError, read_tables

TRAINER = Path(trainer.__file__).parent.parent


def write(path: Path, rows: list[list[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def sample(load: Any) -> list[list[Any]]:
    found = load()
    names = [*(name.replace(" ", "_") for name in found.feature_names), "kind"]
    return [names, *([*row, found.target_names[y]] for row, y in zip(found.data, found.target, strict=True))]


def run(tmp_path: Path, **arguments: Any) -> subprocess.CompletedProcess[str]:
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "arguments.json").write_text(json.dumps(arguments))
    places = ["--data", tmp_path / "data", "--out", tmp_path / "out"]
    return subprocess.run(
        [sys.executable, "-m", "trainer", *places, "--arguments", tmp_path / "arguments.json"],
        cwd=TRAINER,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "data.csv"


def test_two_classes_are_learned_and_predicted(tmp_path: Path, data: Path) -> None:
    """On the breast-cancer data the held-out accuracy is high and predict gives class names."""
    rows = sample(load_breast_cancer)
    write(data, rows)
    assert run(tmp_path).returncode == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.95
    assert (metrics["n_train"], metrics["n_test"], metrics["n_features"]) == (455, 114, 30)
    asked = [dict(zip(rows[0], map(str, row), strict=True)) for row in rows[1:51]]
    found = predict(tmp_path / "out" / "model.safetensors", asked)
    assert sum(row["kind"] == kind for row, kind in zip(asked, found, strict=True)) >= 47


def test_the_same_data_and_seed_give_the_same_model(tmp_path: Path, data: Path) -> None:
    """Model and metrics are the same bytes; another seed holds out other rows."""
    write(data, sample(load_iris))
    models = []
    for seed in (1, 1, 2):
        assert run(tmp_path, seed=seed).returncode == 0
        models.append((tmp_path / "out" / "model.safetensors").read_bytes())
    assert models[0] == models[1] != models[2]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["n_classes"] == 3


def test_text_columns_missing_numbers_and_a_target_in_front(tmp_path: Path, data: Path) -> None:
    """Categories become features, an empty number counts as the mean, the target is chosen."""
    rows = [["kind", "colour", "size"]]
    rows += [[f"k{n % 2}", ("red", "blue")[n % 2], str(n) if n % 7 else ""] for n in range(60)]
    write(data, rows)
    assert run(tmp_path, target="kind", holdout=0.5).returncode == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["accuracy"], metrics["n_test"]) == (1.0, 30)
    asked = [{"colour": "blue", "size": ""}, {"colour": "green", "size": "3"}]
    assert predict(tmp_path / "out" / "model.safetensors", asked)[0] == "k1"


def test_several_files_are_one_table(tmp_path: Path, data: Path) -> None:
    """Files with the same header are read one after the other."""
    rows = sample(load_iris)
    write(data, rows[:76])
    write(data.parent / "more.csv", [rows[0], *rows[76:]])
    assert len(read_tables(data.parent).rows) == 150


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "file 1: empty"),
        ("a,b\n", "a header and no rows"),
        ("a,b\n1,2\n1,secret,3\n", "row 3: 3 fields, expected 2"),
        ("a,a\n1,2\n", "different names"),
        ("a,\n1,2\n", "different names"),
        ("1,2\n3,4\n", "the first row holds numbers"),
        ('a,b\n1,"secret\n', "near row 3: not CSV"),
        ("a,b\n1,\udcff\n", "not UTF-8"),
    ],
)
def test_malformed_data_is_refused_by_row_without_values(data: Path, text: str, says: str) -> None:
    """The refusal names the row and shows no value."""
    data.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(TableError, match=says) as caught:
        read_tables(data.parent)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ({"colour": 1}, 64, "1 unknown"),
        ({"target": "secret"}, 66, "no column"),
        ({"target": 3}, 64, "column name"),
        ({"holdout": 1.5}, 64, "between 0 and 1"),
        ({"seed": "x"}, 64, "argument seed"),
    ],
)
def test_bad_arguments_are_refused(
    tmp_path: Path, data: Path, arguments: dict[str, Any], code: int, says: str
) -> None:
    """An unknown argument or a value that cannot be ends the trainer with a message and its exit code."""
    write(data, sample(load_iris))
    ran = run(tmp_path, **arguments)
    assert ran.returncode == code
    assert says in ran.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("rows", "code", "says"),
    [
        ([["x", ""]] * 12, 66, "row 2: the target is empty"),
        ([["x", "a"]] * 12, 66, "1 classes"),
        ([["1", "a"], ["2", "b"]], 68, "2 rows"),
        ([[f"text {n}", "ab"[n % 2]] for n in range(300)], 67, "column 1: 300 different texts"),
        ([["1", "a", "more"]] * 12, 65, "row 2: 3 fields"),
    ],
)
def test_data_that_cannot_be_learned_is_refused(
    tmp_path: Path, data: Path, rows: list[list[str]], code: int, says: str
) -> None:
    """An empty target, one class, too few rows, free text: each has its message and its exit code."""
    write(data, [["x", "y"], *rows])
    ran = run(tmp_path)
    assert ran.returncode == code
    assert says in ran.stderr
