"""The model file: weights as safetensors, with classes and features in its metadata."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from .features import Feature, Matrix, encode
from .table import Table


@dataclass(frozen=True)
class Model:
    """Standardised multinomial logistic regression; one row of weights per class."""

    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    mean: Matrix
    scale: Matrix
    weights: Matrix
    intercept: Matrix

    def scores(self, matrix: Matrix) -> Matrix:
        """Give each row's class probabilities; a missing number counts as the mean."""
        standard = np.nan_to_num((matrix - self.mean) / self.scale)
        raised = standard @ self.weights.T + self.intercept
        powers = np.exp(raised - raised.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def save(self, path: Path) -> None:
        """Write the model; equal models give equal bytes."""
        tensors = {
            "mean": self.mean,
            "scale": self.scale,
            "weights": self.weights,
            "intercept": self.intercept,
        }
        features = [[feature.name, list(feature.categories)] for feature in self.features]
        # One entry only: the library writes several in an order that differs from run to run.
        metadata = {"model": json.dumps({"classes": self.classes, "features": features})}
        save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path, metadata)

    @classmethod
    def load(cls, path: Path) -> "Model":
        """Read a model file that `save` wrote."""
        with safe_open(path, framework="numpy") as file:
            described = json.loads(file.metadata()["model"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        features = tuple(Feature(name, tuple(categories)) for name, categories in described["features"])
        return cls(features, tuple(described["classes"]), **tensors)


def predict(path: Path, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Give the most likely class of each row; a row maps column names to text, as in the CSV."""
    model = Model.load(path)
    names = [feature.name for feature in model.features]
    table = Table(names, [[row[name] for name in names] for row in rows])
    best = model.scores(encode(model.features, table)).argmax(axis=1)
    return [model.classes[index] for index in best]
