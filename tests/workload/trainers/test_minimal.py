"""The trainer contract in twenty lines."""

import json
from pathlib import Path

from sealtrain.rules.order import OrderLimits

from workload import child, model
from workload.trainers import minimal


def test_the_minimal_trainer_fulfils_the_contract(tmp_path: Path) -> None:
    """Run as the workload runs it, its output is accepted."""
    (tmp_path / "data" / "inner").mkdir(parents=True)
    (tmp_path / "data" / "inner" / "a.txt").write_text("ab\nabcd\n")
    (tmp_path / "work").mkdir()
    limits = OrderLimits(seconds=20, disk_bytes=10**6, memory_bytes=2**31)
    app = Path(next(iter(minimal.__path__)))
    out, _ = child.train(tmp_path / "data", {}, tmp_path / "work", limits, lambda: None, app)
    models, metrics = model.accept(out, 10**6)
    assert [path.name for path in models] == ["model.safetensors"]
    assert metrics == {"lines": 2}
    assert json.loads(models[0].read_bytes()[8:-8]) == {
        "mean": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    }
