"""Comparing what is wanted with what is there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.deploy.kinds import holds

JSON = st.recursive(
    st.booleans() | st.integers(1, 10**6) | st.text(min_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_a_value_holds_in_itself(value: Any) -> None:
    """Equal is equal, whatever its shape."""
    assert holds(value, value)


@given(st.dictionaries(st.text(), JSON, min_size=1), st.text(), JSON)
def test_what_the_api_adds_does_not_matter(wanted: dict[str, Any], key: str, value: Any) -> None:
    """Output fields beside ours are no difference."""
    assert holds(wanted, {key: value, **wanted})


@pytest.mark.parametrize(
    ("wanted", "there"),
    [({"a": 1}, {"a": 2}), ({"a": 1}, {}), ([1], [1, 2]), ({"a": {}}, {"a": {"b": 1}}), ("x", None)],
)
def test_a_difference_is_seen(wanted: Any, there: Any) -> None:
    """Another value, a missing one, a longer list, an object that should be empty."""
    assert not holds(wanted, there)


@pytest.mark.parametrize(("wanted", "there"), [(7, "7"), ("604800", 604800), (False, None), ({}, None)])
def test_what_apis_spell_in_two_ways_is_equal(wanted: Any, there: Any) -> None:
    """64-bit numbers come as text, and what is unset is left out."""
    assert holds(wanted, there)
