"""Text of an expression → tokens.

Rules: strings stand in double or single quotes with JSON's escapes; `and`, `or`, `not`, `in` are
lower or upper case, not mixed; `true`, `True`, `TRUE` are one word (so for false and null).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from . import limits
from .errors import ExpressionError
from .values import Value, whole_characters

Kind = Literal["number", "string", "word", "operator", "symbol", "literal", "end"]

KEYWORDS = {word: word.lower() for name in ("and", "or", "not", "in") for word in (name, name.upper())}
LITERALS: dict[str, Value] = {
    spelling: value
    for name, value in (("true", True), ("false", False), ("null", None))
    for spelling in (name, name.capitalize(), name.upper())
}
RESERVED = frozenset(KEYWORDS) | frozenset(LITERALS)

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator>//|==|!=|<=|>=|[-+*/%<>])
      | (?P<symbol>[][().,])
      | (?P<quote>["'])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_STRING_PART = re.compile(r"""[^"'\\]+|["']|\\(?:u(?P<hex>[0-9a-fA-F]{4})|(?P<one>["'\\/ntrbf]))""")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the language; `text` is the source spelling, `value` what it stands for."""

    kind: Kind
    text: str
    position: int
    value: Value = None


def tokens(source: str) -> list[Token]:
    """All tokens of the text, closed by one of kind "end". ExpressionError at what is no token."""
    found: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise ExpressionError(_unexpected(source[position]), position)
        if match.lastgroup == "quote":
            token, position = _string(source, position)
            found.append(token)
            continue
        if match.lastgroup != "space":
            found.append(_token(match))
        position = match.end()
    found.append(Token("end", "the end of the expression", len(source)))
    return found


def _unexpected(character: str) -> str:
    if character in "{}":
        return "a map cannot be written in an expression; assign it first"
    return f"unexpected character {character!r}"


def _token(match: re.Match[str]) -> Token:
    text, position = match.group(), match.start()
    if match.lastgroup == "number":
        return Token("number", text, position, _number(text, position))
    if match.lastgroup == "word":
        if text in KEYWORDS:
            return Token("operator", text, position, KEYWORDS[text])
        if text in LITERALS:
            return Token("literal", text, position, LITERALS[text])
        return Token("word", text, position)
    return Token("operator" if match.lastgroup == "operator" else "symbol", text, position, text)


def _number(text: str, position: int) -> int | float:
    if not text.isdigit():
        number = float(text)
        if number == float("inf"):
            raise ExpressionError(f"{text} is beyond a double", position)
        return number
    if len(text.lstrip("0")) > 19 or int(text) > limits.INTEGER_MAX:
        raise ExpressionError(f"{text} is beyond a 64-bit integer", position)
    return int(text)


def _string(source: str, start: int) -> tuple[Token, int]:
    quote = source[start]
    position = start + 1
    parts: list[str] = []
    while position < len(source):
        match = _STRING_PART.match(source, position)
        if match is None:
            raise ExpressionError("unknown escape in a string", position)
        position = match.end()
        if match.group() == quote:
            # Two \u escapes may spell one character.
            text = whole_characters("".join(parts))
            return Token("string", source[start:position], start, text), position
        if match["hex"]:
            parts.append(chr(int(match["hex"], 16)))
        elif match["one"]:
            parts.append(_ESCAPES.get(match["one"], match["one"]))
        else:
            parts.append(match.group())
    raise ExpressionError("a string without its closing quote", start)
