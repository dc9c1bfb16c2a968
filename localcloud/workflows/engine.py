"""From text to program, from program to value."""

from __future__ import annotations

from dataclasses import dataclass

from .absent import ABSENT
from .check import check
from .errors import DeploymentError, ExecutionError, WorkflowError, problem
from .host import Host
from .journal import Journal
from .limits import Limits
from .routine import RoutineCode, compile_routines
from .shape import shape
from .strand import Execution, Strand
from .values import Value, encode_json


@dataclass(frozen=True, slots=True)
class Program:
    """A source that would deploy, compiled; it can run many times, also at once."""

    main: RoutineCode


def compile_source(text: str) -> Program:
    """The program of a source, YAML or JSON. Raises DeploymentError with every refusal found."""
    source, refusals = shape(text)
    refusals += check(source)
    if refusals:
        raise DeploymentError(refusals)
    return Program(compile_routines(source)["main"])


def run(
    program: Program,
    argument: Value,
    host: Host,
    journal: Journal,
    limits: Limits | None = None,
) -> Value:
    """Run to the end and give the returned value.

    With a journal that is not empty, the recorded effects are not repeated and the execution goes on after
    them. A null argument counts as none: the parameter takes its default, else null. A main workflow
    without a parameter ignores its argument.

    Raises ExecutionError when the workflow fails and Cancelled when the host says so.
    """
    execution = Execution(host, journal, limits or Limits())
    # The main workflow is on the stack but is no call.
    strand = Strand(execution, call_depth=-1)
    try:
        value = program.main.call(strand, _arguments(program.main, argument))
        encode_json(value)
    except WorkflowError as error:
        raise ExecutionError(error.value, tuple(error.stack)) from error
    except RecursionError:
        failure = problem("RecursionError", "steps or values are nested too deeply")
        raise ExecutionError(failure.value, ()) from None
    return value


def _arguments(main: RoutineCode, argument: Value) -> list[Value]:
    if not main.params:
        return []
    if argument is None:
        return [ABSENT if main.has_defaults else None]
    return [argument]
