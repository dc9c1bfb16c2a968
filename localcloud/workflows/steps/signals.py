"""How a step tells the list around it where to go on; a step that gives none goes on with the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..values import Value


class Signal:
    """Leave the present list: for a step of an outer list, or for the end of a loop or routine."""

    __slots__ = ("block", "index", "value")

    def __init__(self, block: object = None, index: int = 0, value: Value = None) -> None:
        self.block = block
        self.index = index
        self.value = value


BREAK = Signal()
CONTINUE = Signal()
END = Signal()

Run = Callable[[list[Any]], Signal | None]


def returning(value: Value) -> Signal:
    """Leave the routine with a value."""
    return Signal(value=value)


def jump(block: object, index: int) -> Signal:
    """Go on at a step of the list that the block object stands for."""
    return Signal(block, index)
