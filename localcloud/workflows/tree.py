"""The program tree: routines, steps and what each step does, with lines, before any name is
resolved.

`Scope` objects are put on routines, loops, except clauses and branches by `check`; everything else
is read only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from .scope import Scope
from .syntax import Expr


@dataclass(slots=True)
class Assignment:
    """One `target: value` of an assign step; the target is a name, member or index."""

    line: int
    target: Expr
    value: Expr


@dataclass(slots=True)
class Assign:
    """`assign`."""

    assignments: list[Assignment]


@dataclass(slots=True)
class CallStep:
    """`call` with `args`, by name (a map) or by position (a list), and `result`."""

    line: int
    function: str
    args: dict[str, Expr] | list[Expr]
    arg_lines: dict[str, int]
    result: str | None


@dataclass(slots=True)
class Condition:
    """One entry of a switch."""

    line: int
    when: Expr
    body: Body | None
    next: Next | None


@dataclass(slots=True)
class Switch:
    """`switch`."""

    conditions: list[Condition]


@dataclass(slots=True)
class Loop:
    """`for`, alone or inside `parallel`; either `items` or `bounds`."""

    line: int
    value: str
    index: str | None
    items: Expr | None
    bounds: Expr | None
    steps: Steps
    scope: Scope = field(default_factory=Scope)


@dataclass(slots=True)
class Branch:
    """One branch of `parallel`."""

    name: str
    line: int
    body: Body
    scope: Scope = field(default_factory=Scope)


@dataclass(slots=True)
class Parallel:
    """`parallel` with `branches` or `for`."""

    line: int
    shared: list[str]
    concurrency_limit: Expr | None
    branches: list[Branch]
    loop: Loop | None


@dataclass(slots=True)
class Retry:
    """`retry`: a ready policy, or its fields; what is absent takes the default."""

    line: int
    policy: Expr | None
    predicate: Expr | None
    max_retries: Expr | None
    backoff: Expr | None
    delays: dict[str, Expr]


@dataclass(slots=True)
class Except:
    """`except`."""

    line: int
    name: str | None
    body: Body
    scope: Scope = field(default_factory=Scope)


@dataclass(slots=True)
class Try:
    """`try` with `retry` and `except`."""

    body: Body
    retry: Retry | None
    handler: Except | None


@dataclass(slots=True)
class Raise:
    """`raise`."""

    line: int
    value: Expr


@dataclass(slots=True)
class Return:
    """`return`."""

    line: int
    value: Expr


@dataclass(slots=True)
class Next:
    """`next`: a step's name, or end, break, continue."""

    line: int
    target: str


@dataclass(slots=True)
class Step:
    """A named step: one action (none when it only jumps), then where to go on."""

    name: str
    line: int
    column: int
    action: Action | None
    next: Next | None


@dataclass(slots=True)
class Steps:
    """A list of steps."""

    line: int
    steps: list[Step]


Action: TypeAlias = Assign | CallStep | Switch | Loop | Parallel | Try | Raise | Return | Steps
# What stands under `try`, `except`, a condition or a branch: a list of steps, or one action without a name.
Body: TypeAlias = Action


@dataclass(slots=True)
class Param:
    """A parameter; `default` is None when the caller must give it."""

    name: str
    line: int
    default: Expr | None


@dataclass(slots=True)
class Routine:
    """The main workflow or a subworkflow."""

    name: str
    line: int
    params: list[Param]
    steps: Steps
    scope: Scope = field(default_factory=Scope)


@dataclass(slots=True)
class Source:
    """A whole source."""

    routines: dict[str, Routine]
