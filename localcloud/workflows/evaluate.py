"""Expression nodes → closures over a frame.

Rules: names become slots when the program is compiled, so evaluating looks nothing up by name;
`and` and `or` stop at the first operand that decides; a value that reads a shared variable takes a
turn (see `turns`). A variable
that no step has assigned yet is null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from .errors import type_error
from .operators import BINARY, add, boolean, negative
from .scope import Binding, Scope
from .stdlib import FUNCTIONS
from .syntax import (
    Binary,
    Call,
    Const,
    Expr,
    Index,
    ListOf,
    MapOf,
    Member,
    Name,
    Unary,
    parts,
)
from .values import Value, element, equal, member, type_name

if TYPE_CHECKING:
    from .routine import RoutineCode

Slots = list[Any]
Evaluate = Callable[[Slots], Value]


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of an expression can mean where it stands."""

    scope: Scope
    routines: dict[str, RoutineCode]

    def within(self, scope: Scope) -> Names:
        """The same, seen from an inner scope."""
        return Names(scope, self.routines)


def reads_shared(expr: Expr, scope: Scope) -> bool:
    """Whether another branch may write what the expression reads."""
    if isinstance(expr, Name):
        binding = scope.lookup(expr.name)
        return binding is not None and binding.shared
    return any(reads_shared(part, scope) for part in parts(expr))


def evaluator(expr: Expr, names: Names) -> Evaluate:
    """The closure that gives a step's value."""
    evaluate = compiled(expr, names)
    if not reads_shared(expr, names.scope):
        return evaluate

    def in_turn(frame: Slots) -> Value:
        with frame[1].turns.turn(frame[1]):
            return evaluate(frame)

    return in_turn


def compiled(expr: Expr, names: Names) -> Evaluate:  # noqa: PLR0911  # one arm per node
    """The closure of a node and what is in it, without a turn."""
    match expr:
        case Const(value):
            return constant(value)
        case Name(name):
            binding = names.scope.lookup(name)
            assert binding is not None, name  # noqa: S101  # check has refused it before
            return variable(binding)
        case Member(owner, key):
            return _member(compiled(owner, names), key)
        case Index(owner, key_expr):
            return _index(compiled(owner, names), compiled(key_expr, names))
        case Call():
            return _call(expr, names)
        case Unary(operator, operand):
            return _unary(operator, compiled(operand, names))
        case Binary(operator, left, right):
            return _binary(operator, compiled(left, names), compiled(right, names))
        case ListOf(items):
            return _list([compiled(item, names) for item in items])
        case MapOf(entries):
            return _map([(compiled(key, names), compiled(item, names)) for key, item in entries])


def constant(value: Value) -> Evaluate:
    """The closure of what is known before."""
    return lambda _: value


def variable(binding: Binding) -> Evaluate:
    """The closure that reads a variable."""
    slot, hops = binding.slot, binding.hops
    if not hops:
        return itemgetter(slot)

    def read_around(frame: Slots) -> Value:
        for _ in range(hops):
            frame = frame[0]
        return frame[slot]

    return read_around


def _member(owner: Evaluate, key: str) -> Evaluate:
    return lambda frame: member(owner(frame), key)


def _index(owner: Evaluate, key: Evaluate) -> Evaluate:
    return lambda frame: element(owner(frame), key(frame))


def _unary(operator: str, operand: Evaluate) -> Evaluate:
    if operator == "-":
        return lambda frame: negative(operand(frame))
    return lambda frame: not boolean(operand(frame), "not")


def _binary(operator: str, left: Evaluate, right: Evaluate) -> Evaluate:
    match operator:
        case "and":
            return lambda frame: boolean(left(frame), "and") and boolean(right(frame), "and")
        case "or":
            return lambda frame: boolean(left(frame), "or") or boolean(right(frame), "or")
        case "+":
            return lambda frame: add(left(frame), right(frame))
        case "==":
            return lambda frame: equal(left(frame), right(frame))
    apply = BINARY[operator]
    return lambda frame: apply(left(frame), right(frame))


def _list(items: list[Evaluate]) -> Evaluate:
    return lambda frame: [item(frame) for item in items]


def _map(entries: list[tuple[Evaluate, Evaluate]]) -> Evaluate:
    def build(frame: Slots) -> Value:
        return {_key(key(frame)): item(frame) for key, item in entries}

    return build


def _key(key: Value) -> str:
    if type(key) is not str:
        raise type_error(f"the key of a map must be a string, got a {type_name(key)}")
    return key


def _call(expr: Call, names: Names) -> Evaluate:
    args = [compiled(arg, names) for arg in expr.args]
    if expr.function in names.routines:
        routine = names.routines[expr.function]
        return lambda frame: routine.call(frame[1], [arg(frame) for arg in args])
    function = FUNCTIONS[expr.function]
    code = function.code
    if function.outward:
        return lambda frame: code(frame[1], *[arg(frame) for arg in args])
    if len(args) == 1:
        (only,) = args
        return lambda frame: code(only(frame))
    return lambda frame: code(*[arg(frame) for arg in args])
