"""`call`: a function of the library or a subworkflow, arguments by name or by position, the result
into a variable.
"""

from __future__ import annotations

from collections.abc import Callable

from ..absent import ABSENT
from ..evaluate import Evaluate, Slots, constant
from ..stdlib import FUNCTIONS
from ..tree import CallStep
from ..values import Value
from .assign import binding_of, put
from .signals import Run
from .site import Site


def compile_call(action: CallStep, site: Site) -> Run:
    """The code of a call step."""
    invoke = _invocation(action, site)
    if action.result is None:

        def run(frame: Slots) -> None:
            invoke(frame)

        return run
    binding = binding_of(action.result, site)
    hops, slot, shared = binding.hops, binding.slot, binding.shared

    def run_for_result(frame: Slots) -> None:
        value = invoke(frame)
        if shared:
            # Only the write takes a turn: the call may last for days.
            with frame[1].turns.turn(frame[1]):
                put(frame, hops, slot, value)
        else:
            put(frame, hops, slot, value)

    return run_for_result


def _invocation(action: CallStep, site: Site) -> Callable[[Slots], Value]:
    if action.function in site.names.routines:
        routine = site.names.routines[action.function]
        ordered = _ordered(action, site, dict.fromkeys(routine.params, ABSENT))
        return lambda frame: routine.call(frame[1], [arg(frame) for arg in ordered])
    function = FUNCTIONS[action.function]
    filled = _ordered(action, site, {item.name: item.default for item in function.parameters})
    return lambda frame: function.run(frame[1], [arg(frame) for arg in filled])


def _ordered(action: CallStep, site: Site, defaults: dict[str, Value]) -> list[Evaluate]:
    """The arguments in the order of the parameters; a default where none is given."""
    args = action.args if isinstance(action.args, dict) else dict(zip(defaults, action.args, strict=False))
    return [
        site.value(args[name]) if name in args else constant(default) for name, default in defaults.items()
    ]
