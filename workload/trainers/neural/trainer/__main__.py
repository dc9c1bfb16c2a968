"""Train a network on the CSV files of --data; write model.safetensors and metrics.json. CPU or GPU.

Arguments (JSON object, all optional): `target` column name (default: the last column), `epochs` (default 60),
`hidden` units (default 32), `rate` of learning (default 0.01), `seed` (default 0). Columns must be numbers.

After every epoch the whole state goes into the checkpoint folder, so that an attempt that is preempted loses
one epoch at most: the next one goes on there and ends with the same model, on the same kind of machine.
"""

import argparse
import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

BATCH = 32
TARGET_REFUSED, COLUMNS_REFUSED, GPU_MISSING = 66, 67, 69  # exit codes that the workload has words for


def main() -> None:
    """Read, train from the beginning or from a checkpoint, evaluate on the held-out fifth, write."""
    parser = argparse.ArgumentParser(prog="trainer")
    for place in ("--data", "--out", "--arguments"):
        parser.add_argument(place, type=Path, required=True)
    given = parser.parse_args()
    if Path("/dev/nvidiactl").exists() and not torch.cuda.is_available():
        sys.exit(GPU_MISSING)  # rather than hours of a GPU's price for a processor's work
    asked = {"epochs": 60, "hidden": 32, "rate": 0.01, "seed": 0} | json.loads(given.arguments.read_text())
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it, sums on a GPU come in any order
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # too little work to share; and sums come in one order
    torch.manual_seed(asked["seed"])
    features, labels, classes = read(given.data, asked.get("target"))
    training, held_out = split(len(labels), asked["seed"])
    mean, scale = features[training].mean(0), features[training].std(0).clamp_min(1e-6)
    features = (features - mean) / scale
    state = State(features.shape[1], len(classes), asked)
    begun_at = state.restore()
    for epoch in range(begun_at, asked["epochs"]):
        state.learn(features[training], labels[training])
        state.save(epoch + 1)
    found = state.network(features[held_out].to(state.device)).argmax(1).cpu()
    tensors = {name: tensor.cpu() for name, tensor in state.network.state_dict().items()}
    about = {"model": json.dumps({"classes": classes})}
    save_file(tensors | {"mean": mean, "scale": scale}, given.out / "model.safetensors", about)
    metrics = {
        "accuracy": (found == labels[held_out]).float().mean().item(),
        "begun_at_epoch": begun_at,
        "gpu": int(state.device.type == "cuda"),
        "n_test": len(held_out),
        "n_train": len(training),
    }
    (given.out / "metrics.json").write_text(json.dumps(metrics, sort_keys=True))


def read(data: Path, target: str | None) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """Features (rows by columns), labels as numbers, and the classes they stand for."""
    rows: list[dict[str, str]] = []
    for file in sorted(data.rglob("*.csv")):
        with file.open(newline="", encoding="utf-8-sig") as source:
            rows += csv.DictReader(source)
    names = list(rows[0]) if rows else []
    target = target or (names[-1] if names else "")
    if target not in names:
        sys.exit(TARGET_REFUSED)
    try:
        numbers = [[float(row[name]) for name in names if name != target] for row in rows]
    except (TypeError, ValueError):
        sys.exit(COLUMNS_REFUSED)
    classes = sorted({row[target] for row in rows})
    labels = [classes.index(row[target]) for row in rows]
    return torch.tensor(numbers, dtype=torch.float32), torch.tensor(labels), classes


def split(rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers to learn from, and a fifth held out."""
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    return order[rows // 5 :], order[: rows // 5]


class State:
    """Everything that learning changes: network, optimizer, and the draws of the shuffle."""

    def __init__(self, inputs: int, outputs: int, asked: dict[str, Any]) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        layers = (torch.nn.Linear(inputs, asked["hidden"]), torch.nn.ReLU())
        self.network = torch.nn.Sequential(*layers, torch.nn.Linear(asked["hidden"], outputs)).to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=asked["rate"])
        self.draws = torch.Generator().manual_seed(asked["seed"])
        self._file = Path(os.environ["CHECKPOINT"], "state.pt")

    def learn(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """One epoch."""
        for batch in torch.randperm(len(labels), generator=self.draws).split(BATCH):
            self.optimizer.zero_grad()
            scores = self.network(features[batch].to(self.device))
            torch.nn.functional.cross_entropy(scores, labels[batch].to(self.device)).backward()
            self.optimizer.step()

    def save(self, epoch: int) -> None:
        """Write the checkpoint whole, or leave the one before."""
        draft = self._file.with_suffix(".draft")
        parts = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(parts | {"draws": self.draws.get_state(), "epoch": epoch}, draft)
        draft.replace(self._file)

    def restore(self) -> int:
        """Go back to the checkpoint, if there is one; give how many epochs it has behind it."""
        if not self._file.exists():
            return 0
        found = torch.load(self._file, map_location=self.device, weights_only=True)
        self.network.load_state_dict(found["network"])
        self.optimizer.load_state_dict(found["optimizer"])
        self.draws.set_state(found["draws"].cpu())
        return int(found["epoch"])


if __name__ == "__main__":
    main()
