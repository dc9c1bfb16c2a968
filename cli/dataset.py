"""The demo's data: the Wisconsin breast-cancer data that scikit-learn carries, as CSV.

569 patients, 30 features of cell nuclei, the diagnosis as the last column: what the default trainer learns.
The file is read where the library keeps it: importing the library takes a second for the same numbers.
"""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

from cli.errors import CommandError

_MEASURED = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
FEATURES = tuple(
    [f"mean_{name}" for name in _MEASURED]
    + [f"{name}_error" for name in _MEASURED]
    + [f"worst_{name}" for name in _MEASURED]
)


def write_breast_cancer(target: Path) -> tuple[int, int]:
    """Write the CSV; the number of its rows and features. Raises CommandError without scikit-learn."""
    with _source().open(newline="", encoding="utf-8") as source:
        (_, _, *labels), *rows = csv.reader(source)
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FEATURES, "diagnosis"])
        writer.writerows([*values, labels[int(label)]] for *values, label in rows)
    return len(rows), len(FEATURES)


def _source() -> Path:
    library = find_spec("sklearn")
    for folder in (library.submodule_search_locations or []) if library else []:
        file = Path(folder, "datasets", "data", "breast_cancer.csv")
        if file.is_file():
            return file
    raise CommandError(
        "the demo's data is not on this machine",
        got="no scikit-learn with its data files",
        remedy="install requirements-dev.txt (`make demo` does it)",
    )
