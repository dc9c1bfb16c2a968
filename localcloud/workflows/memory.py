"""How much the variables of an execution hold.

Rules: all variables together at most 512 KB, one string at most 256 KB (Google's quotas page). What
is written is added up, and only when the sum could exceed the limit are the live frames measured;
so the limit is exact and the common step pays little.
"""

from __future__ import annotations

import threading
from typing import Any

from .errors import resource_limit_error
from .limits import Limits
from .scope import FIRST_SLOT
from .values import Value, size_of

Slots = list[Any]
SMALL = frozenset({bool, int, float, type(None)})


class Memory:
    """The account of one execution; `frames` are those alive, in no order."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.memory_bytes
        self._frames: dict[int, Slots] = {}
        self._lock = threading.Lock()

    def enter(self, frame: Slots) -> None:
        """Count the frame's variables from now on."""
        self._frames[id(frame)] = frame

    def leave(self, frame: Slots) -> None:
        """Count them no longer."""
        self._frames.pop(id(frame), None)

    def wrote(self, value: Value) -> None:
        """Account for a value that a variable now holds; ResourceLimitError when it is too much."""
        if type(value) in SMALL:
            return
        size = size_of(value)
        if type(value) in (str, bytes) and size > self._limits.string_bytes:
            raise resource_limit_error(f"a string exceeds {self._limits.string_bytes} bytes")
        self._left -= size
        if self._left < 0:
            self._measure()

    def _measure(self) -> None:
        with self._lock:
            held = sum(
                size_of(value) for frame in list(self._frames.values()) for value in frame[FIRST_SLOT:]
            )
            self._left = self._limits.memory_bytes - held
        if self._left < 0:
            raise resource_limit_error(f"the variables exceed {self._limits.memory_bytes} bytes together")
