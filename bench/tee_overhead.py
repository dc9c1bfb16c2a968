"""What the sealed path costs a training: the same trainer on the same data, with it and as a plain process.

    python bench/tee_overhead.py [--repeat N] [--trainer DIR] [--arguments JSON] [--copies N…]

"With" is the whole life of the workload's process, from its start to its signed receipt: attest, unwrap
the key, open the sealed parts, confine and train, check and seal the model, sign. The cloud around it is the
tests' own (real encryption, answers at once), so that no network is measured. "Without" is the trainer
alone. Both are shown in wall time and in CPU time; the second is the one to trust on a busy machine.

Not measured here: what the processor's memory encryption costs. Nothing on this machine has it, so no share
of it is claimed; what is printed is the share of our own path.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from cli.dataset import write_breast_cancer  # noqa: E402
from cli.image import layout  # noqa: E402
from tests.workload.conftest import Run  # noqa: E402
from tests.workload.fake_cloud import FakeCloud  # noqa: E402

TABULAR = ROOT / "workload" / "trainers" / "tabular"


def main() -> None:
    """Measure each size both ways, alternately, and print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--trainer", type=Path, default=TABULAR, help="its folder")
    parser.add_argument("--arguments", type=json.loads, default={}, help="of the trainer")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10, 40], help="of the demo's 569 rows")
    given = parser.parse_args()
    repeat = given.repeat
    print(f"{'data':>9}  {'without':>18}  {'with':>18}  {'share':>16}      (wall, CPU; medians of {repeat})")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        app = unpacked(Path(folder), given.trainer)
        for copies in given.copies:
            data = demo_data(copies, Path(folder))
            pairs = [
                (without(app, data, given.arguments), with_it(app, data, given.arguments))
                for _ in range(repeat)
            ]
            plain, whole = (
                [median(time_) for time_ in zip(*times, strict=True)] for times in zip(*pairs, strict=True)
            )
            share = [100 * (w - p) / w for p, w in zip(plain, whole, strict=True)]
            print(
                f"{len(data) / 1e6:7.2f}MB  {plain[0]:7.2f}s {plain[1]:7.2f}s  "
                f"{whole[0]:7.2f}s {whole[1]:7.2f}s  {share[0]:6.1f} % {share[1]:6.1f} %"
            )
    print("our path alone: the processor's memory encryption is not in these numbers")


def measured(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall time, and of CPU time of the processes that the action started and waited for."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu_s


def demo_data(copies: int, folder: Path) -> bytes:
    """The demo's CSV with its rows repeated."""
    file = folder / "demo.csv"
    write_breast_cancer(file)
    head, *rows = csv.reader(io.StringIO(file.read_text()))
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([head, *(rows * copies)])
    return out.getvalue().encode()


def unpacked(folder: Path, trainer: Path) -> Path:
    """The image's /app."""
    for name, content in layout.tree(trainer).items():
        path = folder / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "app"


def without(app: Path, data: bytes, arguments: dict[str, Any]) -> tuple[float, float]:
    """The trainer as a plain process on a plain file."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        given, out = Path(folder, "data"), Path(folder, "out")
        given.mkdir()
        out.mkdir()
        (given / "data.csv").write_bytes(data)
        Path(folder, "arguments.json").write_text(json.dumps(arguments))
        places = ["--data", given, "--out", out, "--arguments", Path(folder, "arguments.json")]
        argv = [sys.executable, "-m", "trainer", *map(str, places)]
        env = os.environ | {"CHECKPOINT": folder}
        return measured(lambda: subprocess.run(argv, cwd=app, env=env, check=True))


def with_it(app: Path, data: bytes, arguments: dict[str, Any]) -> tuple[float, float]:
    """The workload with everything handed over, so that it waits for nothing."""
    folder = tempfile.mkdtemp(prefix="b-")
    try:
        with FakeCloud(Path(folder, "s")) as cloud:
            run = Run(cloud, app, {"data.csv": data})
            run.order["limits"] |= {"seconds": 3600, "disk_bytes": 2**30}
            run.order["arguments"] = arguments
            run.freeze()
            run.release()
            taken = measured(lambda: finish(run))
    finally:
        shutil.rmtree(folder)
    return taken


def finish(run: Run) -> None:
    process = run.start()
    printed, _ = process.communicate(timeout=600)
    if process.returncode != 0:
        raise SystemExit(printed)


if __name__ == "__main__":
    main()
