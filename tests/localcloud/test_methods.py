"""The lists of what is imitated say what the code says."""

from __future__ import annotations

from pathlib import Path

from localcloud.methods import control, faults, page, short

ROOT = Path(__file__).parents[2]


def test_every_method_is_listed() -> None:
    """docs/stand-in.md ends with `python -m localcloud.methods`, to the letter."""
    assert (ROOT / "docs" / "stand-in.md").read_text().endswith(page())


def test_what_the_control_door_takes_and_what_a_fault_can_be_is_listed() -> None:
    """docs/stand-in.md holds `python -m localcloud.methods --control`, and `--faults`, to the letter."""
    text = (ROOT / "docs" / "stand-in.md").read_text()
    assert control() in text
    assert faults() in text


def test_the_readme_lists_what_is_imitated() -> None:
    """The README's list is `python -m localcloud.methods --short`, to the letter."""
    assert short() in (ROOT / "README.md").read_text()
