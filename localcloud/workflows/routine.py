"""A compiled routine and how it is called."""

from __future__ import annotations

from .absent import ABSENT
from .errors import WorkflowError
from .evaluate import Evaluate, Names, Slots, evaluator
from .scope import FIRST_SLOT, Scope
from .steps.compile import compile_action
from .steps.signals import Run
from .steps.site import Site
from .strand import Strand
from .tree import Routine, Source
from .values import Value


class RoutineCode:
    """The code of the main workflow or of a subworkflow."""

    __slots__ = ("_body", "_defaults", "_size", "name", "params")

    _body: Run
    _defaults: list[Evaluate | None]

    def __init__(self, routine: Routine) -> None:
        self.name = routine.name
        self.params = tuple(param.name for param in routine.params)
        self._size = routine.scope.frame.size

    def compile(self, routine: Routine, routines: dict[str, RoutineCode]) -> None:
        """Compile the body; every routine of the source must have its object before."""
        bare = Names(Scope(), routines)
        self._defaults = [
            None if param.default is None else evaluator(param.default, bare) for param in routine.params
        ]
        names = Names(routine.scope, routines)
        self._body = compile_action(routine.steps, Site(routine.name, names, {}))

    @property
    def has_defaults(self) -> bool:
        """Whether a call may leave every argument out."""
        return None not in self._defaults

    def call(self, strand: Strand, args: list[Value]) -> Value:
        """The returned value; an ABSENT or missing argument takes its default."""
        given = len(args)
        frame: Slots = [None, strand, *args, *[None] * (self._size - FIRST_SLOT - given)]
        for position, default in enumerate(self._defaults):
            if default is not None and (position >= given or args[position] is ABSENT):
                frame[FIRST_SLOT + position] = default(frame)
        memory = strand.execution.memory
        strand.enter_call()
        memory.enter(frame)
        try:
            signal = self._body(frame)
        except WorkflowError as error:
            error.unplaced = True
            raise
        finally:
            memory.leave(frame)
            strand.call_depth -= 1
        return None if signal is None else signal.value


def compile_routines(source: Source) -> dict[str, RoutineCode]:
    """The code of every routine of a checked source."""
    codes = {name: RoutineCode(routine) for name, routine in source.routines.items()}
    for name, routine in source.routines.items():
        codes[name].compile(routine, codes)
    return codes
