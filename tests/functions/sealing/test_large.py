"""The large dataset of bench/large_dataset.py, with small numbers: same code, same processes, same kills."""

from pathlib import Path

from bench.large_dataset import run


def test_a_dataset_survives_kills_with_flat_memory(tmp_path: Path) -> None:
    """Sealed and opened over storage by processes killed in mid-part, it is the same; memory stays flat."""
    found = run(tmp_path, total_bytes=48 << 20, part_bytes=2 << 20, kills=2)
    assert found["same"]
    assert (found["parts"], found["kills"]) == (24, 2)
    assert found["peak_above_idle_bytes"] < 96e6
