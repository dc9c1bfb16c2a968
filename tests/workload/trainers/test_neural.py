"""The PyTorch trainer, where PyTorch is installed (`pip install torch`, the dependency group `torch`)."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sealtrain.rules import receipt
from sealtrain.rules.order import OrderLimits

from cli.dataset import write_breast_cancer
from tests.workload.conftest import Run
from tests.workload.told import EVIDENCE
from workload import child, model
from workload.errors import Preempted
from workload.trainers import neural

pytest.importorskip("torch", reason="PyTorch is not installed: the dependency group `torch`")
LIMITS = OrderLimits(seconds=120, disk_bytes=10**8, memory_bytes=2**35)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The demo's data."""
    (tmp_path / "data").mkdir()
    write_breast_cancer(tmp_path / "data" / "data.csv")
    return tmp_path / "data"


def train(
    data: Path, work: Path, each_poll: Callable[[], None] = lambda: None
) -> tuple[bytes, dict[str, Any]]:
    """Run the trainer as the workload does; give the model's bytes and the metrics."""
    work.mkdir(exist_ok=True)
    out, _ = child.train(data, {"epochs": 15}, work, LIMITS, each_poll, Path(next(iter(neural.__path__))))
    (found,), metrics = model.accept(out, 10**7)
    return found.read_bytes(), metrics


def test_it_learns_and_gives_the_same_model_twice(data: Path, tmp_path: Path) -> None:
    """A fixed seed: equal bytes, and a model that is worth something."""
    first, metrics = train(data, tmp_path / "one")
    assert metrics["accuracy"] > 0.93
    assert metrics["gpu"] == int(child.GPU.exists())
    assert train(data, tmp_path / "two")[0] == first


def test_through_the_whole_workload(make_run: Callable[..., Run], data: Path) -> None:
    """Attested, opened, trained (on the GPU where there is one), sealed and signed."""
    run = make_run("neural", {"data.csv": (data / "data.csv").read_bytes()})
    run.order["arguments"] = {"epochs": 5}
    code, printed = run.finish()
    assert code == 0, printed
    token = run.record("evidence", f"{EVIDENCE}/token.json")
    signed = receipt.parse(run.world.objects["evidence", f"{EVIDENCE}/receipt.json"], token["public_key_pem"])
    assert signed.metrics["accuracy"] > 0.9
    assert signed.metrics["gpu"] == int(child.GPU.exists())


def test_preempted_it_goes_on_and_ends_with_the_same_model(data: Path, tmp_path: Path) -> None:
    """Ended after some epochs, it begins there in the next attempt; the model is the undisturbed one."""
    kept = tmp_path / "first" / child.CHECKPOINT

    def preempt() -> None:
        if (kept / "state.pt").exists():
            raise Preempted

    with pytest.raises(Preempted):
        train(data, tmp_path / "first", preempt)
    (tmp_path / "second").mkdir()
    shutil.copytree(kept, tmp_path / "second" / child.CHECKPOINT)
    resumed, metrics = train(data, tmp_path / "second")
    assert 0 < metrics["begun_at_epoch"] < 15, json.dumps(metrics)
    assert resumed == train(data, tmp_path / "undisturbed")[0]
