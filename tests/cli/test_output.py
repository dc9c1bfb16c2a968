"""What is shown: nothing from outside may move the cursor."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cli.errors import CommandError, as_json, as_lines
from cli.output import plain, table


@given(st.text())
def test_plain_text_has_no_control_and_no_direction_marks(text: str) -> None:
    """Escape sequences and right-to-left marks from object names never reach a terminal."""
    assert not {unicodedata.category(c) for c in plain(text)} & {"Cc", "Cf", "Cs", "Co"}


def test_a_table_keeps_every_cell_whole() -> None:
    """Columns are as wide as their widest cell."""
    assert table(("a", "b"), [("long cell", "x")]) == ["a          b", "long cell  x"]


def test_an_error_is_two_lines_whatever_it_quotes() -> None:
    """A newline in what was got does not make a third line."""
    error = CommandError("bad", field="f", got="one\ntwo\x1b[2J", expected="one", remedy="do that")
    what, remedy = as_lines(error)
    assert what == "sealtrain: bad (field f; got one two\N{REPLACEMENT CHARACTER}[2J; expected one)"
    assert remedy == "  do: do that"


def test_an_error_in_json_leaves_out_what_it_does_not_know() -> None:
    """Members that say nothing are not there."""
    assert as_json(CommandError("bad")) == {"error": {"code": "bad_input", "message": "bad"}}
