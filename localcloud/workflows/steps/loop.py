"""`for`: over a list, or over a range whose both ends belong to it.

Rules: the list is taken once, so a write to its variable does not change the loop; variables of the
body are new in each iteration; a range of integers counts integers, one with a double counts
doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..errors import type_error
from ..evaluate import Slots
from ..tree import Loop
from ..values import Value, is_number, type_name
from .flow import CompileAction
from .signals import BREAK, CONTINUE, Run, Signal
from .site import Site

SequenceOf = Callable[[Slots], Iterable[Value]]


def compile_loop(action: Loop, site: Site, compile_action: CompileAction) -> Run:
    """The code of a for step."""
    sequence = compile_sequence(action, site)
    body = compile_action(action.steps, site.inside(action.scope))
    slots = action.scope.slots
    value_slot = slots[action.value]
    # Without an index its number is overwritten by the value at once.
    index_slot = slots[action.index] if action.index is not None else value_slot
    own = tuple(slots.values())

    def run(frame: Slots) -> Signal | None:
        for index, value in enumerate(sequence(frame)):
            for slot in own:
                frame[slot] = None
            frame[index_slot] = index
            frame[value_slot] = value
            signal = body(frame)
            if signal is None or signal is CONTINUE:
                continue
            return None if signal is BREAK else signal
        return None

    return run


def compile_sequence(action: Loop, site: Site) -> SequenceOf:
    """The code that gives what a loop goes over."""
    if action.items is not None:
        items = site.value(action.items)
        return lambda frame: _elements(items(frame))
    assert action.bounds is not None  # noqa: S101  # the shape has one or the other
    bounds = site.value(action.bounds)
    return lambda frame: _range(bounds(frame))


def _elements(value: Value) -> list[Value]:
    if type(value) is not list:
        raise type_error(f"for goes over a list, got a {type_name(value)}")
    return value


def _range(bounds: Value) -> Iterable[Value]:
    if type(bounds) is not list or len(bounds) != 2 or not all(map(is_number, bounds)):
        raise type_error("range must be a list of two numbers: first and last")
    first, last = bounds
    if type(first) is int and type(last) is int:
        return range(first, last + 1)
    return _counted(float(first), float(last))


def _counted(first: float, last: float) -> Iterator[float]:
    steps = 0
    while first + steps <= last:
        yield first + steps
        steps += 1
