"""The demo's data: the Wisconsin breast-cancer data that scikit-learn carries, as CSV.

569 patients, 30 features of cell nuclei, the diagnosis as the last column: what the default trainer learns.
"""

from __future__ import annotations

import csv
from pathlib import Path


def write_breast_cancer(target: Path) -> tuple[int, int]:
    """Write the CSV; the number of its rows and features."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(str(name).replace(" ", "_") for name in data.feature_names), "diagnosis"])
        for row, label in zip(data.data, data.target, strict=True):
            writer.writerow([*(f"{value:.17g}" for value in row), str(data.target_names[label])])
    return data.data.shape[0], data.data.shape[1]
