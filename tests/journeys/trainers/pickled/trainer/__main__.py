"""Leaves a pickle under an innocent name."""

import argparse
import pickle
from pathlib import Path

parser = argparse.ArgumentParser()
for place in ("--data", "--out", "--arguments"):
    parser.add_argument(place, type=Path, required=True)
given = parser.parse_args()
(given.out / "model.skops").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
(given.out / "metrics.json").write_text('{"accuracy": 1.0}')
