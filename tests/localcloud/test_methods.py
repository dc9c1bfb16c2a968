"""The lists of what is imitated say what the code says."""

from __future__ import annotations

from pathlib import Path

from localcloud.methods import page, short

ROOT = Path(__file__).parents[2]


def test_every_method_is_listed() -> None:
    """docs/stand-in.md is `python -m localcloud.methods`, to the letter."""
    assert (ROOT / "docs" / "stand-in.md").read_text() == page()


def test_the_readme_lists_what_is_imitated() -> None:
    """The README's list is `python -m localcloud.methods --short`, to the letter."""
    assert short() in (ROOT / "README.md").read_text()
