"""The errors of the language: what a deployment refuses, what a workflow raises, what an execution
ends with.

Rules: a raised value is a string or a map; the engine's own errors are maps of `message` and
`tags`, shaped as Google shapes them ("KeyError: key not found: x", ["KeyError", "LookupError"]); an
exhausted resource cannot be caught.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """One reason why a deployment refuses a source, and the line (from 1) it stands on."""

    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.rule}: {self.message}"


class DeploymentError(Exception):
    """The source would not deploy; `refusals` holds every reason found, in line order."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = tuple(sorted(refusals))
        super().__init__("\n".join(str(refusal) for refusal in self.refusals))

    @property
    def line(self) -> int:
        """The line of the first reason."""
        return self.refusals[0].line

    @property
    def rule(self) -> str:
        """The rule of the first reason."""
        return self.refusals[0].rule


class ExpressionError(Exception):
    """An expression does not parse; `position` counts characters from 0 within it."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class StackElement:
    """A step that was running when an error was raised, innermost first in a stack."""

    routine: str
    step: str
    line: int
    column: int


class WorkflowError(Exception):
    """A value raised while a workflow runs: by `raise`, by an operator, by a function of the library."""

    catchable = True

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value
        self.stack: list[StackElement] = []
        # True until the innermost step of the present routine has put itself on the stack.
        self.unplaced = True

    def place(self, element: StackElement) -> None:
        """Note the innermost step of a routine; steps around it in the same routine add nothing."""
        if self.unplaced:
            self.stack.append(element)
            self.unplaced = False


class ResourceLimitExceededError(WorkflowError):
    """A platform limit was met; Google's page: cannot be caught, the execution fails at once."""

    catchable = False


class ExecutionError(Exception):
    """A failed execution, in the shape of Google's `Execution.error`."""

    def __init__(self, value: Any, stack: tuple[StackElement, ...]) -> None:
        self.value = value
        self.stack = stack
        self.payload = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.context = context_of(value, stack)
        super().__init__(self.context)

    def as_google(self) -> dict[str, Any]:
        """`payload` (JSON text), `context` and `stackTrace`, as the executions API shows them."""
        elements = [
            {
                "routine": at.routine,
                "step": at.step,
                "position": {"line": str(at.line), "column": str(at.column)},
            }
            for at in self.stack
        ]
        return {
            "payload": self.payload,
            "context": self.context,
            "stackTrace": {"elements": elements},
        }


def context_of(value: Any, stack: tuple[StackElement, ...]) -> str:
    """The human-readable context: what was raised, then one line per routine."""
    places = [f'in step "{at.step}", routine "{at.routine}", line: {at.line}' for at in stack]
    return "\n".join([headline(value), *places])


def headline(value: Any) -> str:
    """One line for a raised value: an engine error's own message, else "RuntimeError: " and the value."""
    if isinstance(value, dict) and value.get("tags") and isinstance(value.get("message"), str):
        return str(value["message"])
    return "RuntimeError: " + json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def problem(kind: str, message: str, *wider: str, **fields: Any) -> WorkflowError:
    """An engine error of the kind, tagged with it and its wider kinds."""
    return WorkflowError({"message": f"{kind}: {message}", "tags": [kind, *wider], **fields})


def type_error(message: str) -> WorkflowError:
    """An operation met a type it does not take."""
    return problem("TypeError", message)


def value_error(message: str) -> WorkflowError:
    """The right type, but a value that cannot be used."""
    return problem("ValueError", message)


def key_error(key: str) -> WorkflowError:
    """A map has no such key."""
    return problem("KeyError", f"key not found: {key}", "LookupError")


def index_error(index: int, length: int) -> WorkflowError:
    """A list has no such index."""
    return problem("IndexError", f"index {index} is outside a list of {length} elements", "LookupError")


def resource_limit_error(message: str) -> ResourceLimitExceededError:
    """A platform limit, named in the message with its number."""
    return ResourceLimitExceededError(
        {"message": f"ResourceLimitError: {message}", "tags": ["ResourceLimitError"]}
    )
