"""The parser never fails but by saying so, and what it reads it can write."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.workflows import DeploymentError, compile_source
from localcloud.workflows.errors import ExpressionError
from localcloud.workflows.lexer import RESERVED
from localcloud.workflows.parser import parse
from localcloud.workflows.syntax import (
    Binary,
    Call,
    Const,
    Expr,
    Index,
    ListOf,
    MapOf,
    Member,
    Name,
    Unary,
    show,
)

_WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
_NAMES = _WORDS.filter(lambda word: word not in RESERVED)
_LITERALS = (
    st.none()
    | st.booleans()
    | st.integers(0, 2**63 - 1)
    | st.floats(min_value=0, allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
)
_BINARY = ["or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "//", "%"]


def _larger(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.builds(Member, inner, _WORDS),
        st.builds(Index, inner, inner),
        st.builds(Call, st.lists(_NAMES, min_size=1, max_size=2).map(".".join), _few(inner)),
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(Binary, st.sampled_from(_BINARY), inner, inner),
        st.builds(ListOf, _few(inner)),
    )


def _few(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[tuple[Expr, ...]]:
    return st.lists(inner, max_size=3).map(tuple)


_EXPRESSIONS = st.recursive(st.builds(Const, _LITERALS) | st.builds(Name, _NAMES), _larger, max_leaves=8)
# Sources in the language's own words, most of them wrong.
_KEYS = re.findall(
    r"\w+",
    """
    main sub x y params steps assign call args result next switch condition for value index in range parallel
    branches shared concurrency_limit exception_policy try retry except as predicate max_retries backoff
    initial_delay raise return
    """,
)
_SCALARS = st.sampled_from([None, True, 1, 2.5, "x", "end", "continueAll", "${x}", "${sub(x)}", "${1 +}"])
_SOURCES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=20,
)
_PIECES = st.lists(
    st.sampled_from(
        [*"+-*/%()[].,<>=!\"'\\{}$ ", "and", "or", "not", "in", "true", "x", "1", "1.5", "//", "=="]
    )
    | st.text(max_size=3),
    max_size=30,
)


@given(_EXPRESSIONS)
@settings(max_examples=150, deadline=None)
def test_an_expression_reads_back_as_it_was_written(expr: Expr) -> None:
    """Writing a tree and parsing it gives the same tree."""
    assert parse(show(expr)) == expr


@given(_PIECES.map("".join))
@settings(max_examples=500, deadline=None)
def test_any_text_parses_or_is_an_expression_error(text: str) -> None:
    """Whatever the text, the parser gives a tree or an ExpressionError within the text."""
    try:
        parse(text)
    except ExpressionError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017


@given(st.text(max_size=200) | _PIECES.map(lambda pieces: "- a:\n    return: ${" + "".join(pieces) + "}"))
@settings(max_examples=200, deadline=None)
def test_any_source_compiles_or_is_refused(text: str) -> None:
    """Whatever the source, it compiles or is a DeploymentError with a line."""
    try:
        compile_source(text)
    except DeploymentError as error:
        assert error.line >= 1  # noqa: PT017


@given(_SOURCES, st.sampled_from(["main", "step", "for", "parallel", "try", "switch", "retry", "source"]))
@settings(max_examples=300, deadline=None)
def test_any_structure_compiles_or_is_refused(structure: Any, place: str) -> None:
    """Whatever stands where steps, loops, branches and retries belong, it compiles or is refused."""
    step = {place: structure, "steps": [{"s": {"return": 1}}]} if place == "try" else {place: structure}
    sources = {"main": {"main": structure}, "step": [{"a": structure}], "source": structure}
    retried = [{"a": {"try": {"return": 1}, "retry": structure, "except": structure}}]
    source = retried if place == "retry" else sources.get(place, [{"a": step}])
    try:
        compile_source(json.dumps(source))
    except DeploymentError as error:
        assert error.line >= 1  # noqa: PT017


@pytest.mark.parametrize("text", ["(" * 5000, "[" * 5000, "-" * 5000, "not " * 5000, "x[" * 5000])
def test_deep_nesting_is_an_error_not_a_crash(text: str) -> None:
    """Nesting beyond the bound is an ExpressionError."""
    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse(text)


def test_a_map_has_no_expression_text() -> None:
    """Maps stand in the YAML, not in an expression."""
    with pytest.raises(ValueError, match="no expression text"):
        show(MapOf(()))
