"""A run's wall time without the training, first run (functions cold) and second (warm), and where it went.

    python bench/run_overhead.py [--warm N]

Each time is from the upload's return to the closing record. The training is what the receipt says between its
`started` and `finished` and is taken off. The floor beside it, in the same process and on the same data: the
training alone, with no cloud at all. Aim on two cores: 20 s cold, 3 s warm.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from sealtrain.rules import names  # noqa: E402
from sealtrain.rules.uploads import run_of  # noqa: E402

from cli.dataset import write_breast_cancer  # noqa: E402
from tests.journeys.world import World, start  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--warm", type=int, default=3, help="number of warm runs (the median is shown)")
    warm_runs = parser.parse_args().warm
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.csv"
        write_breast_cancer(data)
        floor = training_alone(data, Path(folder))
        stand_in, world = start(Path(folder) / "world", [])
        try:
            runs = [one_run(world, data.read_bytes(), number) for number in range(1 + warm_runs)]
        finally:
            stand_in.__exit__(None, None, None)
    cold, warm = runs[0], runs[1:]
    print(f"training alone, one process: {floor:.2f} s (the floor)")
    print(f"cold: {cold['overhead']:.2f} s besides {cold['training']:.2f} s of training (aim 20)")
    overhead = median(run["overhead"] for run in warm)
    training = median(run["training"] for run in warm)
    print(f"warm: {overhead:.2f} s besides {training:.2f} s of training (aim 3; median of {len(warm)})")
    print("\nwhere it went, seconds per step of the workflow (cold, warm median)")
    for step in cold["steps"]:
        print(f"  {step:28} {cold['steps'][step]:6.2f} {median(r['steps'].get(step, 0) for r in warm):6.2f}")


def training_alone(data: Path, folder: Path) -> float:
    """The trainer as a plain process on plain files."""
    given, out = folder / "plain", folder / "out"
    given.mkdir()
    out.mkdir()
    (given / "data.csv").write_bytes(data.read_bytes())
    (folder / "arguments.json").write_text("{}")
    argv = ["-m", "trainer", "--data", given, "--out", out, "--arguments", folder / "arguments.json"]
    began = time.perf_counter()
    trainer = ROOT / "workload" / "trainers" / "tabular"
    subprocess.run([sys.executable, *map(str, argv)], cwd=trainer, check=True)
    return time.perf_counter() - began


def one_run(world: World, data: bytes, number: int) -> dict[str, Any]:
    """Upload, wait for the closing, look into history and receipt."""
    upload = world.upload(f"bench-{number}.csv", data)
    began = time.perf_counter()
    closed = world.closed(upload)
    wall = time.perf_counter() - began
    if closed["outcome"] != "succeeded":
        raise SystemExit(f"the run did not succeed: {closed}")
    run = run_of(upload)
    envelope = world.record(names.receipt(run)) or {}
    receipt = json.loads(base64.b64decode(envelope["payload"]))
    training = seconds(receipt["started"], receipt["finished"])
    execution = (world.json(world.state, names.claim(run)) or {})["execution"]
    return {"overhead": wall - training, "training": training, "steps": history(world, execution)}


def history(world: World, execution: str) -> dict[str, float]:
    """Seconds spent in each named step of the workflow's outer routines."""
    settings = world.settings
    workflow = f"projects/{settings.project}/locations/{settings.region}/workflows/train"
    path = f"/v1/{workflow}/executions/{execution.rpartition('/')[2]}/stepEntries"
    spent: dict[str, float] = {}
    for entry in world.get(path)["stepEntries"]:
        if entry["routine"] in ("main", "train") and entry["step"] != "train" and "updateTime" in entry:
            took = seconds(entry["createTime"], entry["updateTime"])
            spent[entry["step"]] = spent.get(entry["step"], 0.0) + took
    return spent


def seconds(start_: str, end: str) -> float:
    """Between two RFC 3339 times."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start_)).total_seconds()


if __name__ == "__main__":
    main()
