"""A short dose of `make fuzz`, another one every time the tree's seed is changed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.fuzz.__main__ import run
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS, Tried


def test_no_crash_no_hang_no_accept() -> None:
    """Three thousand changed inputs over all verifiers are refused, each for a reason."""
    result = run(range(3_000), seed=20261125)
    assert result.failures == []
    assert set(result.inputs) == set(TARGETS)


@pytest.mark.parametrize("number", [607_990, 623_617, 15_016, 512_236])
def test_inputs_that_once_came_through(number: int) -> None:
    """A certificate of an unheard-of version crashed; collateral with a path of the root alone passed."""
    assert run(range(number, number + 1), seed=1).failures == []


@pytest.mark.parametrize(
    ("target", "failure"),
    [
        (lambda _: Tried(True, ""), "accept"),
        (lambda _: 1 // 0, "crash"),
    ],
    ids=["accept", "crash"],
)
def test_a_failure_is_seen(
    monkeypatch: pytest.MonkeyPatch, target: Callable[[random.Random], Tried], failure: str
) -> None:
    """A verifier that accepts or raises makes the run fail."""
    for name in list(TARGETS):
        monkeypatch.setitem(TARGETS, name, (target, 1))
    found = run(range(10), seed=1).failures
    assert len(found) == 10
    assert all(one.startswith(failure) for one in found)


def test_the_same_seed_gives_the_same_changes() -> None:
    """A failure can be made again."""
    data = bytes(range(256))
    once, again = (mutated(data, random.Random("1/7"), (data,)) for _ in range(2))
    assert once == again
    assert any(mutated(data, random.Random(f"1/{n}")) != data for n in range(10))
