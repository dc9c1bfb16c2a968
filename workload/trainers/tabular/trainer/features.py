"""Turn columns of text into numbers, the same way when training and when predicting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .table import COLUMNS, MAX_CATEGORIES, Table, TableError, numbers

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One column: numeric when it has no categories, else one column of 0 and 1 per category."""

    name: str
    categories: tuple[str, ...] = ()

    def encode(self, fields: Sequence[str]) -> Matrix:
        """Give the column's numbers; an empty numeric field is NaN, an unknown category all 0."""
        if not self.categories:
            return np.array([float(field) if field.strip() else np.nan for field in fields])[:, None]
        return np.array([[float(field == category) for category in self.categories] for field in fields])


def features_of(table: Table, target: str) -> list[Feature]:
    """Decide each column's kind. Raises TableError when one has too many categories."""
    found = []
    for name in table.names:
        if name == target:
            continue
        fields = table.column(name)
        if numbers(fields) is not None:
            found.append(Feature(name))
            continue
        categories = tuple(sorted(set(fields)))
        if len(categories) > MAX_CATEGORIES:
            at = table.names.index(name) + 1
            got = f"{len(categories)} different texts; at most {MAX_CATEGORIES}"
            raise TableError(f"column {at}: {got}", COLUMNS)
        found.append(Feature(name, categories))
    return found


def encode(features: Sequence[Feature], table: Table) -> Matrix:
    """Give the matrix of all features, rows as in the table."""
    return np.hstack([feature.encode(table.column(feature.name)) for feature in features])
