"""Actions of the tree → code: the one place that knows every kind of step."""

from __future__ import annotations

from ..tree import (
    Action,
    Assign,
    CallStep,
    Loop,
    Parallel,
    Raise,
    Return,
    Steps,
    Switch,
    Try,
)
from .assign import compile_assign
from .call import compile_call
from .flow import compile_raise, compile_return, compile_steps, compile_switch
from .guard import compile_try
from .loop import compile_loop
from .parallel import compile_parallel
from .signals import Run
from .site import Site


def compile_action(action: Action, site: Site) -> Run:  # noqa: PLR0911  # one arm per action
    """The code of an action."""
    match action:
        case Steps():
            return compile_steps(action, site, compile_action)
        case Assign():
            return compile_assign(action, site)
        case CallStep():
            return compile_call(action, site)
        case Switch():
            return compile_switch(action, site, compile_action)
        case Loop():
            return compile_loop(action, site, compile_action)
        case Parallel():
            return compile_parallel(action, site, compile_action)
        case Try():
            return compile_try(action, site, compile_action)
        case Raise():
            return compile_raise(action, site)
        case Return():
            return compile_return(action, site)
