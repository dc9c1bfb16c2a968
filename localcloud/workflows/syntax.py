"""The expression tree: what the parser makes, the checker reads and the evaluator compiles.

Text without `${…}`, lists and maps of the YAML become the same nodes, so a step knows one kind of
value. `show` writes a node back as an expression that parses to the same node.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TypeAlias

from .values import Value


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or the first word of a function's name."""

    name: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """`owner.key`."""

    owner: Expr
    key: str


@dataclass(frozen=True, slots=True)
class Index:
    """`owner[key]`."""

    owner: Expr
    key: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """`function(args)`, the function by its full dotted name."""

    function: str
    args: tuple[Expr, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-operand` or `not operand`."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map of the YAML; a key may be an expression."""

    entries: tuple[tuple[Expr, Expr], ...]


Expr: TypeAlias = Const | Name | Member | Index | Call | Unary | Binary | ListOf | MapOf


def dotted(expr: Expr) -> str | None:
    """The dotted name that a chain of plain members spells, such as "http.default_retry"."""
    if isinstance(expr, Name):
        return expr.name
    if isinstance(expr, Member):
        owner = dotted(expr.owner)
        return None if owner is None else f"{owner}.{expr.key}"
    return None


def parts(expr: Expr) -> tuple[Expr, ...]:  # noqa: PLR0911  # one arm per node
    """The nodes directly inside a node."""
    match expr:
        case Member(owner, _):
            return (owner,)
        case Index(owner, key):
            return (owner, key)
        case Call(_, args):
            return args
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case ListOf(items):
            return items
        case MapOf(entries):
            return tuple(node for entry in entries for node in entry)
        case _:
            return ()


def show(expr: Expr) -> str:  # noqa: PLR0911  # one arm per node
    """The node as expression text, operators in parentheses; ValueError for a map, which has none."""
    match expr:
        case Const(value):
            return json.dumps(value)
        case Name(name):
            return name
        case Member(owner, key):
            return f"{show(owner)}.{key}"
        case Index(owner, key):
            return f"{show(owner)}[{show(key)}]"
        case Call(function, args):
            return f"{function}({', '.join(map(show, args))})"
        case Unary(operator, operand):
            return f"({operator} {show(operand)})"
        case Binary(operator, left, right):
            return f"({show(left)} {operator} {show(right)})"
        case ListOf(items):
            return f"[{', '.join(map(show, items))}]"
        case MapOf():
            raise ValueError("a map has no expression text")
