"""`assign`: each assignment evaluates, then writes; one that touches a shared variable does both in
one turn.
"""

from __future__ import annotations

from ..evaluate import Evaluate, Slots, compiled, constant, reads_shared
from ..memory import SMALL
from ..scope import Binding
from ..syntax import Expr, Index, Member, Name
from ..tree import Assign, Assignment
from ..values import Value, replaced
from .signals import Run
from .site import Site


def compile_assign(action: Assign, site: Site) -> Run:
    """The code of an assign step."""
    writes = [_assignment(assignment, site) for assignment in action.assignments]
    if len(writes) == 1:
        return writes[0]

    def run(frame: Slots) -> None:
        for write in writes:
            write(frame)

    return run


def binding_of(name: str, site: Site) -> Binding:
    """The variable a name means; check has made sure that there is one."""
    binding = site.names.scope.lookup(name)
    assert binding is not None, name  # noqa: S101
    return binding


def _assignment(assignment: Assignment, site: Site) -> Run:
    path: list[Evaluate] = []
    target: Expr = assignment.target
    shared = reads_shared(target, site.names.scope) or reads_shared(assignment.value, site.names.scope)
    while not isinstance(target, Name):
        if isinstance(target, Member):
            path.insert(0, constant(target.key))
            target = target.owner
        elif isinstance(target, Index):
            path.insert(0, compiled(target.key, site.names))
            target = target.owner
    binding = binding_of(target.name, site)
    evaluate = compiled(assignment.value, site.names)
    write = _nested(binding, path, evaluate) if path else _plain(binding, evaluate)
    return _in_turn(write) if shared else write


def _in_turn(write: Run) -> Run:
    def run(frame: Slots) -> None:
        with frame[1].turns.turn(frame[1]):
            write(frame)

    return run


def _plain(binding: Binding, evaluate: Evaluate) -> Run:
    slot, hops = binding.slot, binding.hops

    def write(frame: Slots) -> None:
        value = evaluate(frame)
        frame[slot] = value
        if type(value) not in SMALL:
            frame[1].execution.memory.wrote(value)

    if not hops:
        return write

    def write_around(frame: Slots) -> None:
        value = evaluate(frame)
        put(frame, hops, slot, value)

    return write_around


def put(frame: Slots, hops: int, slot: int, value: Value) -> None:
    """Write a variable and account for it."""
    strand = frame[1]
    for _ in range(hops):
        frame = frame[0]
    frame[slot] = value
    strand.execution.memory.wrote(value)


def _nested(binding: Binding, path: list[Evaluate], evaluate: Evaluate) -> Run:
    slot, hops = binding.slot, binding.hops

    def write(frame: Slots) -> None:
        value = evaluate(frame)
        keys = [key(frame) for key in path]
        owner = frame
        for _ in range(hops):
            owner = owner[0]
        current = owner[slot]
        put(frame, hops, slot, replaced(current, keys, value))

    return write
