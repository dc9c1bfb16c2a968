"""CEL: conditions and mappings, compiled once. The library takes half a second to load: it waits for use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=512)
def program(expression: str) -> Any:
    """The compiled expression. Raises ValueError for what is no CEL."""
    import celpy
    from celpy.celparser import CELParseError

    environment = celpy.Environment()
    try:
        return environment.program(environment.compile(expression))
    except CELParseError as error:
        raise ValueError(f"not a CEL expression: {error}") from error


def holds(expression: str, facts: dict[str, Any]) -> bool:
    """Whether the expression is true; one that fails to evaluate is not."""
    from celpy.evaluation import CELEvalError

    try:
        return bool(program(expression).evaluate(facts))
    except CELEvalError:
        return False
