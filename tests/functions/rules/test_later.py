"""Tests of `rules.later`."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules import later

MACHINES = ec.generate_private_key(ec.SECP256R1())
RUNS = later.PlaceKey.new()
PREFIX = "shown/r0123456789ab/"


@given(st.integers(1, 10**7))
def test_machine_and_functions_tell_the_same_place(number: int) -> None:
    """Each from its own private half and the other's public half."""
    machines = later.place(PREFIX, MACHINES, later.public(RUNS.public()), number)
    functions = later.place(PREFIX, RUNS.key(), MACHINES.public_key(), number)
    assert machines == functions
    assert machines.startswith(f"{PREFIX}{number:05d}-")
    assert machines.endswith("/token.json")


def test_each_number_and_each_pair_of_keys_has_its_own_place() -> None:
    """Nobody comes upon a place by holding one of the halves, or by knowing the place before."""
    own = [RUNS.key(), later.PlaceKey.new().key()]
    machines = [MACHINES.public_key(), ec.generate_private_key(ec.SECP256R1()).public_key()]
    every = itertools.product(own, machines, range(1, 9))
    words = {later.place(PREFIX, *one).partition("-")[2] for one in every}
    assert len(words) == 32


@pytest.mark.parametrize("text", ["", "zz", "02", "04" + "ab" * 32, "02" + "ff" * 32, "00"])
def test_what_is_no_point_of_the_curve_is_refused(text: str) -> None:
    """Before anything is derived from it."""
    with pytest.raises(ValueError):  # noqa: PT011 - the library's words differ by version
        later.public(text)
