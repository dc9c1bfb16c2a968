"""What a function of the standard library is: its name, its parameters, whether it blocks, its
code.

Rules: parameters are the code's own, in order, so positional and named calls agree with it; a
blocking function stands only in a call step; code that asks the outside for something takes the
strand as its first parameter.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..values import Value

if TYPE_CHECKING:
    from ..strand import Strand

Code = Callable[..., Value]


class Parameter(NamedTuple):
    """A parameter; `required` when it has no default."""

    name: str
    required: bool
    default: Value


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the library; `run` takes the strand and every argument in order."""

    name: str
    parameters: tuple[Parameter, ...]
    blocking: bool
    outward: bool
    code: Code

    def run(self, strand: Strand, args: list[Value]) -> Value:
        """The result for the arguments, given by position; absent ones take their defaults."""
        return self.code(strand, *args) if self.outward else self.code(*args)


class Library:
    """Functions that a module of the library offers."""

    def __init__(self, module: str = "") -> None:
        self._prefix = f"{module}." if module else ""
        self.functions: dict[str, Function] = {}

    def function(self, name: str, *, blocking: bool = False, outward: bool = False) -> Callable[[Code], Code]:
        """Offer the decorated code under the name."""

        def offer(code: Code) -> Code:
            full = self._prefix + name
            self.functions[full] = Function(
                full, _parameters(code, skip=int(outward)), blocking, outward, code
            )
            return code

        return offer


def _parameters(code: Code, skip: int) -> tuple[Parameter, ...]:
    declared: list[Any] = list(inspect.signature(code).parameters.values())[skip:]
    return tuple(
        # A trailing underscore keeps a parameter's name off a word of Python.
        Parameter(item.name.rstrip("_"), item.default is item.empty, item.default)
        for item in declared
    )
