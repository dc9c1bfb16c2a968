"""A value of the YAML → one expression node.

Rules: a text that is `${…}` from end to end (space around it aside) is an expression of at most 400
characters; any other text, also one with `${` inside, is itself; lists and maps hold such values,
and the key of a map may be an expression.
"""

from __future__ import annotations

from . import limits
from .errors import ExpressionError, Refusal
from .parser import parse
from .source import Node
from .syntax import Const, Expr, ListOf, MapOf

_NOTHING = Const(None)


def value_of(node: Node, refusals: list[Refusal]) -> Expr:
    """The node as an expression; what does not parse goes to the refusals and counts as null."""
    content = node.content
    if isinstance(content, str):
        return text_value(content, node.line, refusals)
    if isinstance(content, list):
        items = tuple(value_of(item, refusals) for item in content)
        return folded(ListOf(items))
    if isinstance(content, dict):
        entries = tuple(
            (text_value(key, node.key_lines[key], refusals), value_of(item, refusals))
            for key, item in content.items()
        )
        return folded(MapOf(entries))
    return Const(content)


def folded(expr: ListOf | MapOf) -> Expr:
    """The same value as a constant when nothing in it has to be evaluated."""
    if isinstance(expr, ListOf):
        items = [item.value for item in expr.items if isinstance(item, Const)]
        return Const(items) if len(items) == len(expr.items) else expr
    entries = {
        key.value: item.value
        for key, item in expr.entries
        if isinstance(key, Const) and isinstance(item, Const)
    }
    return Const(entries) if len(entries) == len(expr.entries) else expr


def is_expression(text: str) -> bool:
    """Whether the text is `${…}` from end to end."""
    text = text.strip()
    return text.startswith("${") and text.endswith("}")


def text_value(text: str, line: int, refusals: list[Refusal]) -> Expr:
    """A text as an expression or a constant."""
    if not is_expression(text):
        return Const(text)
    stripped = text.strip()
    return parsed(stripped[2:-1], line, refusals, len(stripped))


def parsed(expression: str, line: int, refusals: list[Refusal], length: int = 0) -> Expr:
    """The text as an expression without its `${}`; `length` is that of the whole, when it has one."""
    length = length or len(expression)
    if length > limits.EXPRESSION_CHARACTERS:
        refusals.append(
            Refusal(
                line,
                "expression-length",
                f"the expression has {length} characters, "
                f"at most {limits.EXPRESSION_CHARACTERS} are allowed; assign its parts first",
            )
        )
        return _NOTHING
    try:
        return parse(expression, line)
    except ExpressionError as error:
        refusals.append(
            Refusal(
                line,
                "expression-syntax",
                f"cannot parse {expression.strip()!r}: {error} (character {error.position + 1})",
            )
        )
        return _NOTHING
