"""Train a classifier on the CSV files of --data; write model.safetensors and metrics.json.

Arguments (JSON object, all optional): `target` column name (default: the last column), `holdout`
share kept for testing (default 0.2), `seed` of the split (default 0), `iterations` (default 1000).
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from .features import Matrix, encode, features_of
from .model import Model
from .table import ARGUMENTS, ROWS, TARGET, Table, TableError, read_tables

MAX_CLASSES = 100


@dataclass(frozen=True)
class Arguments:
    """What the job may set."""

    target: str | None = None
    holdout: float = 0.2
    seed: int = 0
    iterations: int = 1000

    def check(self) -> None:
        """Raise TableError when a value has the wrong type or range."""
        if self.target is not None and not isinstance(self.target, str):
            raise TableError("argument target: expected a column name", ARGUMENTS)
        if not isinstance(self.holdout, int | float) or not 0 < self.holdout < 1:
            raise TableError("argument holdout: expected a share between 0 and 1", ARGUMENTS)
        for name in ("seed", "iterations"):
            if type(getattr(self, name)) is not int or not 0 <= getattr(self, name) < 2**31:
                raise TableError(f"argument {name}: expected a whole number from 0", ARGUMENTS)


def main() -> None:
    """Read, train, evaluate on the held-out part, write. Bad data ends with a message and its exit code."""
    parser = argparse.ArgumentParser(prog="trainer")
    for place in ("--data", "--out", "--arguments"):
        parser.add_argument(place, type=Path, required=True)
    given = parser.parse_args()
    try:
        arguments = _arguments(given.arguments)
        model, metrics = train(read_tables(given.data), arguments)
    except TableError as error:
        print(f"refused: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    model.save(given.out / "model.safetensors")
    (given.out / "metrics.json").write_text(json.dumps(metrics, sort_keys=True))


def train(table: Table, arguments: Arguments) -> tuple[Model, dict[str, float]]:
    """Fit on the training part and measure on the held-out part. Raises TableError."""
    target = arguments.target or table.names[-1]
    if target not in table.names:
        raise TableError("argument target: no column has this name", TARGET)
    labels = np.array(table.column(target))
    _check_labels(labels, table)
    features = features_of(table, target)
    matrix = encode(features, table)
    fit_on, held_out = train_test_split(
        np.arange(len(labels)),
        test_size=arguments.holdout,
        random_state=arguments.seed,
        stratify=labels if _can_stratify(labels, arguments.holdout) else None,
    )
    if len(set(labels[fit_on])) < 2:
        raise TableError("target: the training part holds one class only", TARGET)
    mean, scale = _standard(matrix[fit_on])
    fitted = LogisticRegression(max_iter=arguments.iterations)
    fitted.fit(np.nan_to_num((matrix[fit_on] - mean) / scale), labels[fit_on])
    weights, intercept = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        # Two classes come as one row; a row of zeros before it makes them like all others.
        weights = np.vstack([np.zeros_like(weights), weights])
        intercept = np.array([0.0, intercept[0]])
    classes = tuple(str(name) for name in fitted.classes_)
    model = Model(tuple(features), classes, mean, scale, weights, intercept)
    return model, _measure(model, matrix[held_out], labels[held_out], len(fit_on))


def _arguments(path: Path) -> Arguments:
    given = json.loads(path.read_text())
    unknown = set(given) - set(Arguments.__dataclass_fields__)
    if unknown:
        known = ", ".join(Arguments.__dataclass_fields__)
        raise TableError(f"arguments: {len(unknown)} unknown; known are {known}", ARGUMENTS)
    arguments = Arguments(**given)
    arguments.check()
    return arguments


def _check_labels(labels: "np.ndarray[tuple[int], np.dtype[np.str_]]", table: Table) -> None:
    if "" in labels:
        row = int(np.flatnonzero(labels == "")[0]) + 2
        raise TableError(f"row {row}: the target is empty", TARGET)
    distinct = len(set(labels))
    if not 2 <= distinct <= MAX_CLASSES:
        raise TableError(f"target: {distinct} classes, expected 2 to {MAX_CLASSES}", TARGET)
    if len(table.rows) < 10:
        raise TableError(f"{len(table.rows)} rows, expected 10 or more", ROWS)


def _can_stratify(labels: "np.ndarray[tuple[int], np.dtype[np.str_]]", holdout: float) -> bool:
    counts = np.unique(labels, return_counts=True)[1]
    smallest = min(holdout, 1 - holdout) * len(labels)
    return bool(counts.min() >= 2 and smallest >= len(counts))


def _standard(matrix: Matrix) -> tuple[Matrix, Matrix]:
    mean = np.nan_to_num(np.nanmean(matrix, axis=0))
    scale = np.nan_to_num(np.nanstd(matrix, axis=0))
    return mean, np.where(scale > 0, scale, 1.0)


def _measure(
    model: Model,
    matrix: Matrix,
    labels: "np.ndarray[tuple[int], np.dtype[np.str_]]",
    trained_on: int,
) -> dict[str, float]:
    scores = model.scores(matrix)
    known = np.isin(labels, model.classes)
    found = np.array(model.classes)[scores.argmax(axis=1)]
    return {
        "accuracy": float(accuracy_score(labels, found)),
        "balanced_accuracy": float(balanced_accuracy_score(labels, found)),
        "log_loss": float(log_loss(labels[known], scores[known], labels=list(model.classes))),
        "n_classes": len(model.classes),
        "n_features": len(model.features),
        "n_test": len(labels),
        "n_train": trained_on,
    }


if __name__ == "__main__":
    main()
