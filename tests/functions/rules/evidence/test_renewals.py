"""Tests of `rules.evidence.renewals`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules.evidence import renewals
from sealtrain.rules.resources import ObjectInfo


def stored(number: int) -> ObjectInfo:
    """A record of this number."""
    return ObjectInfo("evidence", f"{number:05d}-x/token.json", "1", 1, "", "2026-11-22T00:00:00+00:00")


@given(st.integers(0, 5000), st.integers(0, 20))
def test_the_newest_are_found_in_few_looks(count: int, wanted: int) -> None:
    """However many there are: the newest first, as many as are wanted, two times log2 looks beside them."""
    looks = 0

    def stat(number: int) -> ObjectInfo | None:
        nonlocal looks
        looks += 1
        return stored(number) if 1 <= number <= count else None

    found = renewals.newest_first(stat, lambda one: one.number > count - wanted)
    assert [one.number for one in found] == list(range(count, max(0, count - wanted), -1))
    assert all(one.stored == stored(one.number) for one in found)
    assert looks <= 2 * count.bit_length() + 1 + wanted + 1
