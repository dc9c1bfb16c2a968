"""`parallel`: branches or iterations in threads.

Rules: at most 20 run at once, fewer where concurrency_limit says so; nested at most 2 deep; every
branch runs to its end, whatever happens to another, and the errors left over are raised together as
one UnhandledBranchError. A branch sees the variables around it and keeps its own in a frame of its
own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import limits
from ..errors import WorkflowError, context_of, problem, type_error, value_error
from ..evaluate import Slots
from ..scope import FIRST_SLOT, Scope
from ..strand import Strand
from ..tree import Loop, Parallel
from ..turns import Turns, TurnsStopped
from ..values import Value, type_name
from .flow import CompileAction
from .loop import compile_sequence
from .signals import Run, Signal
from .site import Site


@dataclass(frozen=True, slots=True)
class _Task:
    """One branch or iteration, ready to run."""

    name: str
    body: Run
    size: int
    values: dict[int, Value] = field(default_factory=dict)

    def run(self, outer: Slots, strand: Strand) -> None:
        """Run it in a frame of its own."""
        frame: Slots = [outer, strand, *[None] * (self.size - FIRST_SLOT)]
        for slot, value in self.values.items():
            frame[slot] = value
        memory = strand.execution.memory
        memory.enter(frame)
        try:
            self.body(frame)
        finally:
            memory.leave(frame)


def compile_parallel(action: Parallel, site: Site, compile_action: CompileAction) -> Run:
    """The code of a parallel step."""
    tasks = (
        _iterations(action.loop, site, compile_action)
        if action.loop is not None
        else _branches(action, site, compile_action)
    )
    limit = None if action.concurrency_limit is None else site.value(action.concurrency_limit)

    def run(frame: Slots) -> Signal | None:
        strand: Strand = frame[1]
        execution = strand.execution
        if strand.parallel_depth >= execution.limits.parallel_depth:
            message = f"parallel steps are nested deeper than {execution.limits.parallel_depth}"
            raise problem("ParallelNestingError", message)
        width = execution.limits.concurrent_branches
        if limit is not None:
            width = min(width, _positive(limit(frame)))
        key = strand.next_key()
        # Branches of one routine share its variables, so they share one order of turns.
        turns = strand.turns if frame[0] is not None else None
        group = _Group(
            tasks(frame), frame, strand, key,
            turns or Turns(execution.journal, execution.host, key),
        )  # fmt: skip
        group.run(width)
        return None

    return run


def _positive(limit: Value) -> int:
    if type(limit) is not int:
        raise type_error(f"concurrency_limit must be an integer, got a {type_name(limit)}")
    if limit < 1:
        raise value_error(f"concurrency_limit must be positive, got {limit}")
    return limit


def _branches(action: Parallel, site: Site, compile_action: CompileAction) -> Callable[[Slots], list[_Task]]:
    tasks = [
        _Task(
            branch.name,
            compile_action(branch.body, site.inside(branch.scope)),
            branch.scope.frame.size,
        )
        for branch in action.branches
    ]
    return lambda _: tasks


def _iterations(loop: Loop, site: Site, compile_action: CompileAction) -> Callable[[Slots], list[_Task]]:
    sequence = compile_sequence(loop, site)
    body = compile_action(loop.steps, site.inside(loop.scope))

    def tasks(frame: Slots) -> list[_Task]:
        limit = frame[1].execution.limits.steps
        found: list[_Task] = []
        for index, value in enumerate(sequence(frame)):
            if index > limit:
                raise frame[1].step_limit_met()
            found.append(_iteration(loop, body, index, value))
        return found

    return tasks


def _iteration(loop: Loop, body: Run, index: int, value: Value) -> _Task:
    scope: Scope = loop.scope
    values = {scope.slots[loop.value]: value}
    if loop.index is not None:
        values[scope.slots[loop.index]] = index
    return _Task(str(index), body, scope.frame.size, values)


class _Group:
    """The tasks of one passing of a parallel step."""

    def __init__(self, tasks: list[_Task], frame: Slots, strand: Strand, key: str, turns: Turns) -> None:
        self._tasks = tasks
        self._frame = frame
        self._strand = strand
        self._key = key
        self._turns = turns
        self._numbers = iter(range(len(tasks)))
        self._lock = threading.Lock()
        self._failed: dict[int, WorkflowError] = {}
        self._fatal: list[BaseException] = []

    def run(self, width: int) -> None:
        """Run all; raise what ended the execution, else the branches' errors together."""
        width = min(width, len(self._tasks))
        if width == 1:
            self._work()
        else:
            threads = [threading.Thread(target=self._work, daemon=True) for _ in range(width)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._fatal:
            raise next((e for e in self._fatal if not isinstance(e, TurnsStopped)), self._fatal[0])
        if self._failed:
            raise self._unhandled()

    def _work(self) -> None:
        """Take one task after another, as long as there are any."""
        while not self._fatal:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            try:
                branch = self._strand.branch(self._key, number, self._turns)
                self._tasks[number].run(self._frame, branch)
            except WorkflowError as error:
                if error.catchable:
                    self._failed[number] = error
                else:
                    self._end(error)
            except BaseException as error:  # it belongs to the waiting thread
                self._end(error)

    def _end(self, error: BaseException) -> None:
        self._fatal.append(error)
        self._turns.stop()

    def _unhandled(self) -> WorkflowError:
        shown = sorted(self._failed.items())[: limits.UNHANDLED_BRANCHES_SHOWN]
        branches = [
            {
                "id": self._tasks[number].name,
                "error": {
                    "context": context_of(error.value, tuple(error.stack)),
                    "payload": error.value,
                },
            }
            for number, error in shown
        ]
        return problem(
            "UnhandledBranchError",
            "One or more branches or iterations encountered an unhandled runtime error",
            "RuntimeError",
            branches=branches,
            truncated=len(self._failed) > len(shown),
        )
