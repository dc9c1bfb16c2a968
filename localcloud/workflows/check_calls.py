"""Calls: does the function exist, does it get what it takes, may it stand where it stands."""

from __future__ import annotations

from .errors import Refusal
from .stdlib import CONNECTORS, FUNCTIONS
from .stdlib.retry import BACKOFFS, POLICIES
from .syntax import Call, Expr, dotted
from .tree import CallStep, Retry, Source


class CallChecker:
    """Checks the calls of one source."""

    def __init__(self, source: Source, refusals: list[Refusal]) -> None:
        self._routines = source.routines
        self._refusals = refusals

    def _refuse(self, line: int, rule: str, message: str) -> None:
        self._refusals.append(Refusal(line, rule, message))

    def _parameters(self, name: str, line: int) -> list[tuple[str, bool]] | None:
        """Each parameter's name and whether it is required; None, and a refusal, for no function."""
        if name in self._routines:
            return [(param.name, param.default is None) for param in self._routines[name].params]
        if name in FUNCTIONS:
            return [(item.name, item.required) for item in FUNCTIONS[name].parameters]
        if name.startswith(CONNECTORS):
            message = f'"{name}" is a connector; connectors are not here: call its API with http.*'
            self._refuse(line, "connector-not-here", message)
        else:
            self._refuse(line, "unknown-function", f'"{name}" is no function and no subworkflow')
        return None

    def check_step(self, step: CallStep) -> None:
        """A call step: arguments by name, or by position as in an expression."""
        parameters = self._parameters(step.function, step.line)
        if parameters is None:
            return
        if isinstance(step.args, list):
            self._check_count(step.function, len(step.args), parameters, step.line)
            return
        known = [name for name, _ in parameters]
        for name in step.args:
            if name not in known:
                self._refuse(
                    step.arg_lines[name],
                    "call-arguments",
                    f'"{step.function}" takes no "{name}"; it takes {_listed(known)}',
                )
        for name, required in parameters:
            if required and name not in step.args:
                message = f'"{step.function}" misses its argument "{name}"'
                self._refuse(step.line, "call-arguments", message)

    def check_expression(self, expr: Expr, line: int) -> None:
        """A call in an expression: arguments by position; other nodes pass."""
        if not isinstance(expr, Call):
            return
        line = expr.line or line
        parameters = self._parameters(expr.function, line)
        if parameters is None:
            return
        if expr.function in FUNCTIONS and FUNCTIONS[expr.function].blocking:
            message = f'"{expr.function}" blocks and stands only in a call step'
            self._refuse(line, "blocking-call", message)
        self._check_count(expr.function, len(expr.args), parameters, line)

    def _check_count(self, function: str, given: int, parameters: list[tuple[str, bool]], line: int) -> None:
        least = sum(required for _, required in parameters)
        if not least <= given <= len(parameters):
            takes = str(least) if least == len(parameters) else f"{least} to {len(parameters)}"
            message = f'"{function}" takes {takes} arguments, got {given}'
            self._refuse(line, "call-arguments", message)

    def check_retry(self, retry: Retry) -> None:
        """The names of a retry: a policy, a predicate, a backoff."""
        if retry.policy is not None and dotted(retry.policy) not in POLICIES:
            self._refuse(retry.line, "retry-form", f"retry must be a map or one of {_listed(list(POLICIES))}")
        if retry.backoff is not None and dotted(retry.backoff) not in BACKOFFS:
            self._refuse(retry.line, "retry-form", f"backoff must be a map or {_listed(list(BACKOFFS))}")
        if retry.predicate is not None:
            self._predicate(retry.predicate, retry.line)

    def _predicate(self, expr: Expr, line: int) -> None:
        name = dotted(expr)
        if name is None:
            message = "predicate must name a function or subworkflow, such as ${http.default_retry_predicate}"
            self._refuse(line, "retry-form", message)
            return
        parameters = self._parameters(name, line)
        if parameters is None:
            return
        least = sum(required for _, required in parameters)
        if not least <= 1 <= len(parameters):
            message = f'the predicate "{name}" must take one argument, the error'
            self._refuse(line, "retry-form", message)


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "no arguments"
