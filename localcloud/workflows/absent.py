"""The mark of an argument that a call leaves out."""

from __future__ import annotations


class _Absent:
    """Stands for no argument; null is a value and does not."""


ABSENT = _Absent()
