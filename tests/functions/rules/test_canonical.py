"""Tests of `rules.canonical`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules import canonical
from sealtrain.rules.errors import InvalidRequestError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_reading_gives_back_what_was_written(value: object) -> None:
    """A value survives its canonical form, and the form is stable."""
    data = canonical.dumps(value)
    assert canonical.loads(data) == value
    assert canonical.dumps(canonical.loads(data)) == data


@given(st.dictionaries(TEXT, st.integers(), min_size=2, max_size=6))
def test_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    """Equal objects have equal bytes, however they were built."""
    backwards = dict(reversed(list(value.items())))
    assert canonical.dumps(value) == canonical.dumps(backwards)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_without_a_spelling_are_refused(value: float) -> None:
    """NaN and infinity are not JSON."""
    with pytest.raises(ValueError, match="JSON"):
        canonical.dumps({"x": value})


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b"\xff", b"{", b"[" * 100_000],
)
def test_reading_is_strict(data: bytes) -> None:
    """Repeated keys, NaN, endless numbers, halves of characters, broken or bottomless JSON are refused."""
    with pytest.raises(InvalidRequestError):
        canonical.loads(data)


def test_form_is_utf8_sorted_and_without_spaces() -> None:
    """The form is the one that the contract names."""
    assert canonical.dumps({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("sha256:" + "a" * 64, True),
        ("sha256:" + "A" * 64, False),
        ("sha256:" + "a" * 63, False),
        ("sha512:" + "a" * 64, False),
        ("a" * 64, False),
    ],
)
def test_is_digest(text: str, good: bool) -> None:
    """A digest is `sha256:` and 64 lower-case hex digits."""
    assert canonical.is_digest(text) is good
