"""Tokens → expression tree.

Rules (Google's page "Data types", order of operations), weakest first: `or`; `and`; comparison,
equality and `in` on one level; `+ -`; `* / // %`; unary minus; `not`; then `.`, `[]` and calls.
Operators of one level bind from the left.
"""

from __future__ import annotations

from typing import NoReturn

from . import limits
from .errors import ExpressionError
from .lexer import Token, tokens
from .syntax import Binary, Call, Const, Expr, Index, ListOf, Member, Name, Unary, dotted

_LEVEL = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "//", "%"), 5),
}


def parse(source: str, line: int = 0) -> Expr:
    """The tree of an expression (the text between `${` and `}`); ExpressionError says where it fails."""
    parser = _Parser(tokens(source), line)
    expr = parser.binary(1)
    parser.expect_end()
    return expr


class _Parser:
    def __init__(self, found: list[Token], line: int) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0
        self._line = line

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _advance(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, symbol: str) -> bool:
        if self._token.kind == "symbol" and self._token.text == symbol:
            self._at += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            self._fail(f'expected "{symbol}"')

    def _fail(self, wanted: str) -> NoReturn:
        raise ExpressionError(f"{wanted}, got {self._token.text}", self._token.position)

    def expect_end(self) -> None:
        if self._token.kind != "end":
            self._fail("expected an operator or the end")

    def binary(self, level: int) -> Expr:
        """An expression whose operators bind at least as strongly as the level."""
        self._deeper()
        left = self._unary()
        while self._token.kind == "operator" and _LEVEL.get(self._token.value, 0) >= level:
            operator = self._advance().value
            left = Binary(operator, left, self.binary(_LEVEL[operator] + 1))
        self._depth -= 1
        return left

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > limits.EXPRESSION_NESTING:
            raise ExpressionError("nested too deeply", self._token.position)

    def _unary(self) -> Expr:
        if self._token.kind == "operator" and self._token.value in ("-", "not"):
            operator = self._advance().value
            self._deeper()
            operand = self._unary()
            self._depth -= 1
            return Unary(operator, operand)
        return self._postfix()

    def _postfix(self) -> Expr:
        expr = self._primary()
        while self._token.kind == "symbol":
            if self._accept("."):
                expr = Member(expr, self._key())
            elif self._accept("["):
                expr = Index(expr, self.binary(1))
                self._expect("]")
            elif self._token.text == "(":
                expr = self._call(expr)
            else:
                break
        return expr

    def _key(self) -> str:
        token = self._advance()
        if not (token.text[0].isalpha() or token.text[0] == "_") or token.kind == "end":
            self._at -= 1
            self._fail('expected a name after "."')
        return token.text

    def _call(self, callee: Expr) -> Expr:
        function = dotted(callee)
        if function is None:
            self._fail("only a named function can be called")
        self._expect("(")
        return Call(function, self._items(")"), self._line)

    def _items(self, closing: str) -> tuple[Expr, ...]:
        items: list[Expr] = []
        if self._accept(closing):
            return ()
        items.append(self.binary(1))
        while self._accept(","):
            items.append(self.binary(1))
        self._expect(closing)
        return tuple(items)

    def _primary(self) -> Expr:
        token = self._token
        if token.kind in ("number", "string", "literal"):
            return Const(self._advance().value)
        if token.kind == "word":
            return Name(self._advance().text, self._line)
        if self._accept("("):
            expr = self.binary(1)
            self._expect(")")
            return expr
        if self._accept("["):
            return ListOf(self._items("]"))
        return self._fail("expected a value")
