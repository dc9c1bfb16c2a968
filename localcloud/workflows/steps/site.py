"""Where a step stands while it is compiled: the names it sees, the steps it may jump to, its
routine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..evaluate import Evaluate, Names, evaluator
from ..scope import Scope
from ..syntax import Expr
from ..tree import Next
from .signals import BREAK, CONTINUE, END, Signal

_FIXED = {"end": END, "break": BREAK, "continue": CONTINUE}


@dataclass(frozen=True, slots=True)
class Site:
    """The surroundings of a step."""

    routine: str
    names: Names
    labels: dict[str, Signal]

    def value(self, expr: Expr) -> Evaluate:
        """The closure of a value of the step."""
        return evaluator(expr, self.names)

    def inside(self, scope: Scope) -> Site:
        """The surroundings within an inner scope."""
        return replace(self, names=self.names.within(scope))

    def labelled(self, labels: dict[str, Signal]) -> Site:
        """The surroundings within an inner list of steps, whose names win."""
        return replace(self, labels={**self.labels, **labels})

    def signal(self, following: Next) -> Signal:
        """The signal that a `next` gives."""
        return _FIXED.get(following.target) or self.labels[following.target]
