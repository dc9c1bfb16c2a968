"""An execution and its strands: the threads of control, each with its own path in the journal.

Rules: effects are asked for one after another within a strand, so a number names each; a step
counts against the execution's limit; a subworkflow call counts against the depth of its strand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import WorkflowError, problem, resource_limit_error
from .host import Host
from .journal import Journal, JournalMismatchError, entry_for, recorded
from .limits import Limits
from .memory import Memory
from .turns import Turns
from .values import Value


@dataclass(slots=True)
class Execution:
    """What all strands of one execution share."""

    host: Host
    journal: Journal
    limits: Limits
    memory: Memory = field(init=False)
    # itertools.count hands out each number once, also to threads.
    count_step: Callable[[], int] = field(init=False)

    def __post_init__(self) -> None:
        self.memory = Memory(self.limits)
        self.count_step = itertools.count(1).__next__


class Strand:
    """One thread of control. Keys of its effects are its path and a number."""

    __slots__ = (
        "call_depth",
        "execution",
        "parallel_depth",
        "passings",
        "path",
        "position",
        "turns",
    )

    def __init__(
        self,
        execution: Execution,
        path: str = "",
        call_depth: int = 0,
        parallel_depth: int = 0,
        turns: Turns | None = None,
    ) -> None:
        self.execution = execution
        self.path = path
        self.position = 0
        self.passings = 0
        self.call_depth = call_depth
        self.parallel_depth = parallel_depth
        self.turns = turns

    def next_key(self) -> str:
        """A key that no other effect has, the same in each replay."""
        key = f"{self.path}{self.position}"
        self.position += 1
        return key

    def next_passing(self) -> str:
        """A key for one passing of one step, the same in each replay."""
        self.passings += 1
        return f"{self.path}s{self.passings}"

    def branch(self, key: str, number: int, turns: Turns) -> Strand:
        """The strand of one branch of a parallel step that took the key."""
        return Strand(self.execution, f"{key}.{number}/", self.call_depth, self.parallel_depth + 1, turns)

    def effect(self, call: str, perform: Callable[[], Value]) -> Value:
        """What the call gives: from the journal when it is recorded there, else by performing it."""
        execution = self.execution
        key = self.next_key()
        execution.host.check_cancelled()
        entry = execution.journal.get(key)
        if entry is not None:
            return _replayed(entry, call, key)
        try:
            value = perform()
        except WorkflowError as error:
            if error.catchable:
                execution.journal.put(key, entry_for(call, "error", error.value))
            raise
        execution.journal.put(key, entry_for(call, "value", value))
        return value

    def sleep(self, seconds: float) -> None:
        """Wait; the end is recorded, so a restart waits only for what is left."""
        host = self.execution.host
        self.wait_until(self.effect("sleep", lambda: host.now() + seconds))

    def wait_until(self, deadline: float) -> None:
        """Wait for a point in time."""
        self.execution.host.check_cancelled()
        self.execution.host.sleep_until(deadline)

    def step_limit_met(self) -> WorkflowError:
        """The error for one step too many."""
        return resource_limit_error(f"the execution ran more than {self.execution.limits.steps} steps")

    def enter_call(self) -> None:
        """Count one more call of a subworkflow on the stack; the caller counts it off."""
        self.call_depth += 1
        if self.call_depth > self.execution.limits.call_depth:
            self.call_depth -= 1
            raise problem(
                "RecursionError",
                f"the call stack is deeper than {self.execution.limits.call_depth}",
                "RuntimeError",
            )


def _replayed(entry: dict[str, Any], call: str, key: str) -> Value:
    if entry["call"] != call:
        raise JournalMismatchError(
            f'the journal holds {entry["call"]} under "{key}", the workflow asks for {call}: '
            "it belongs to another source or argument"
        )
    if "error" in entry:
        raise WorkflowError(recorded(entry, "error"))
    return recorded(entry, "value")
