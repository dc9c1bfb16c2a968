"""What a deployment refuses beyond the form: names, scopes, jumps, calls.

Rules: a step's name is its own within the routine; a variable read must be written somewhere in a
scope around the read; a branch writes an outer variable only when it is shared; a loop's variable
must be new; a jump stays within its routine and does not leave a loop or a branch; a function must
exist, get the right arguments, and stand in a call step when it blocks; connectors are not here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .check_calls import CallChecker
from .errors import Refusal
from .lexer import RESERVED
from .scope import Scope
from .shape_actions import JUMPS
from .stdlib import FUNCTIONS
from .syntax import Const, Expr, Name, parts
from .tree import (
    Action,
    Assign,
    CallStep,
    Loop,
    Next,
    Parallel,
    Raise,
    Retry,
    Return,
    Routine,
    Source,
    Steps,
    Switch,
    Try,
)


def check(source: Source) -> list[Refusal]:
    """Everything refused; the scopes of the tree are filled on the way."""
    refusals: list[Refusal] = []
    for routine in source.routines.values():
        if routine.name in RESERVED or routine.name in FUNCTIONS:
            message = f'"{routine.name}" is a name of the language and names no routine'
            refusals.append(Refusal(routine.line, "routine-name", message))
        _RoutineChecker(source, refusals).routine(routine)
    return refusals


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step stands: its scope, the step names it may jump to, the loop and branch around it."""

    scope: Scope
    labels: frozenset[str] = frozenset()
    loop: bool = False
    breakable: bool = False
    branch: bool = False


class _RoutineChecker:
    def __init__(self, source: Source, refusals: list[Refusal]) -> None:
        self._refusals = refusals
        self._calls = CallChecker(source, refusals)
        # Reads wait until every write of the routine has declared its variable: jumps let them run later.
        self._reads: list[tuple[Expr, Scope, int]] = []
        self._step_names: set[str] = set()

    def _refuse(self, line: int, rule: str, message: str) -> None:
        self._refusals.append(Refusal(line, rule, message))

    def routine(self, routine: Routine) -> None:
        for param in routine.params:
            if param.default is not None:
                self._read(param.default, Scope(), param.line)
            routine.scope.declare(param.name)
        self._action(routine.steps, _Place(routine.scope))
        for expr, scope, line in self._reads:
            self._check_read(expr, scope, line)

    def _read(self, expr: Expr, scope: Scope, line: int) -> None:
        if not isinstance(expr, Const):
            self._reads.append((expr, scope, line))

    def _check_read(self, expr: Expr, scope: Scope, line: int) -> None:
        if isinstance(expr, Name) and scope.lookup(expr.name) is None:
            self._refuse(
                expr.line or line,
                "undefined-variable",
                f'"{expr.name}" is no variable in reach: nothing assigns it in a scope around here',
            )
        self._calls.check_expression(expr, line)
        for part in parts(expr):
            self._check_read(part, scope, line)

    def _write(self, name: str, scope: Scope, line: int) -> None:
        binding = scope.lookup(name)
        if binding is None:
            scope.declare(name)
        elif not binding.writable:
            self._refuse(
                line,
                "unshared-write",
                f'"{name}" belongs to the scope around the parallel step; '
                "list it under shared to write it here",
            )

    def _action(self, action: Action, place: _Place) -> None:  # one arm per action
        match action:
            case Steps():
                self._steps(action, place)
            case Assign():
                self._assign(action, place.scope)
            case CallStep():
                self._call(action, place.scope)
            case Switch():
                self._switch(action, place)
            case Loop():
                self._loop(action, place)
            case Parallel():
                self._parallel(action, place)
            case Try():
                self._try(action, place)
            case Raise():
                self._read(action.value, place.scope, action.line)
            case Return():
                self._return(action, place)

    def _steps(self, steps: Steps, place: _Place) -> None:
        names = frozenset(step.name for step in steps.steps)
        inside = replace(place, labels=place.labels | names)
        for step in steps.steps:
            if step.name in self._step_names:
                self._refuse(step.line, "step-name", f'the step "{step.name}" stands twice in its routine')
            self._step_names.add(step.name)
            if step.action is not None:
                self._action(step.action, inside)
            if step.next is not None:
                self._jump(step.next, inside)

    def _jump(self, target: Next, place: _Place) -> None:
        if target.target == "end":
            if place.branch:
                message = "next: end cannot leave a branch of a parallel step"
                self._refuse(target.line, "jump-out-of-branch", message)
        elif target.target in JUMPS:
            reaches = place.loop if target.target == "continue" else place.breakable
            if not reaches:
                message = f"next: {target.target} stands in no loop that it could act on"
                self._refuse(target.line, "jump-without-loop", message)
        elif target.target not in place.labels:
            self._refuse(
                target.line,
                "unknown-step",
                f'next names "{target.target}", which is no step in reach: it must stand in this list '
                "or one around it, without leaving a loop or branch",
            )

    def _return(self, action: Return, place: _Place) -> None:
        self._read(action.value, place.scope, action.line)
        if place.branch:
            self._refuse(
                action.line,
                "jump-out-of-branch",
                "return cannot leave a branch of a parallel step; assign a shared variable",
            )

    def _assign(self, action: Assign, scope: Scope) -> None:
        for assignment in action.assignments:
            self._read(assignment.value, scope, assignment.line)
            if isinstance(assignment.target, Name):
                self._write(assignment.target.name, scope, assignment.line)
                continue
            self._read(assignment.target, scope, assignment.line)
            root: Expr = assignment.target
            while not isinstance(root, Name):
                root = parts(root)[0]
            if scope.lookup(root.name) is not None:
                self._write(root.name, scope, assignment.line)

    def _call(self, action: CallStep, scope: Scope) -> None:
        if isinstance(action.args, list):
            for arg in action.args:
                self._read(arg, scope, action.line)
        else:
            for name, arg in action.args.items():
                self._read(arg, scope, action.arg_lines[name])
        self._calls.check_step(action)
        if action.result is not None:
            self._write(action.result, scope, action.line)

    def _switch(self, action: Switch, place: _Place) -> None:
        for condition in action.conditions:
            self._read(condition.when, place.scope, condition.line)
            if condition.body is not None:
                self._action(condition.body, place)
            if condition.next is not None:
                self._jump(condition.next, place)

    def _loop_head(self, loop: Loop, outer: Scope) -> None:
        for expr in (loop.items, loop.bounds):
            if expr is not None:
                self._read(expr, outer, loop.line)
        for name in (loop.value, loop.index):
            if name is None:
                continue
            if outer.lookup(name) is not None:
                self._refuse(
                    loop.line,
                    "loop-variable",
                    f'the loop variable "{name}" is used outside of the loop; it needs a new name',
                )
            loop.scope.declare(name)

    def _loop(self, loop: Loop, place: _Place) -> None:
        loop.scope.open_block(place.scope)
        self._loop_head(loop, place.scope)
        inside = _Place(loop.scope, loop=True, breakable=True, branch=place.branch)
        self._action(loop.steps, inside)

    def _parallel(self, action: Parallel, place: _Place) -> None:
        shared = frozenset(action.shared)
        for name in action.shared:
            if place.scope.lookup(name) is None:
                message = f'the shared variable "{name}" is assigned nowhere before the parallel step'
                self._refuse(action.line, "undefined-variable", message)
        if action.concurrency_limit is not None:
            self._read(action.concurrency_limit, place.scope, action.line)
        for branch in action.branches:
            branch.scope.open_branch(place.scope, shared)
            self._action(branch.body, _Place(branch.scope, branch=True))
        if action.loop is not None:
            loop = action.loop
            loop.scope.open_branch(place.scope, shared)
            self._loop_head(loop, place.scope)
            self._action(loop.steps, _Place(loop.scope, loop=True, branch=True))

    def _try(self, action: Try, place: _Place) -> None:
        self._action(action.body, place)
        if action.retry is not None:
            self._retry(action.retry, place.scope)
        if action.handler is not None:
            handler = action.handler
            handler.scope.open_block(place.scope)
            if handler.name is not None:
                handler.scope.declare(handler.name)
            self._action(handler.body, replace(place, scope=handler.scope))

    def _retry(self, retry: Retry, scope: Scope) -> None:
        self._calls.check_retry(retry)
        for expr in (retry.max_retries, *retry.delays.values()):
            if expr is not None:
                self._read(expr, scope, retry.line)
