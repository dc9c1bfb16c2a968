"""A short dose of the fuzzer; the long one is `make fuzz-doors`."""

from __future__ import annotations

import time

from tests.fuzz.doors import Fuzzer, let_keyboard_use_keys
from tests.localcloud.conftest import World, world

__all__ = ["world"]


def test_the_doors_bear_whatever_comes(world: World) -> None:
    """Four seconds of good, nearly good and hostile requests: each is answered in time, none with 500."""
    let_keyboard_use_keys(world.cloud.endpoint)
    fuzzer = Fuzzer(world.cloud.endpoint, seed=int(time.time()) // 86_400)
    end = time.monotonic() + 4
    fuzzer.run(lambda: time.monotonic() < end)
    assert fuzzer.failures == []
    assert fuzzer.counts[200] > 20
