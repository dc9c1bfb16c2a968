"""Faults as data: "the next two calls of X answer 503". Whoever plants one can ask whether it was consumed.

answers: an HTTP status (number), "reset" (the connection is cut before any effect), "after_effect"
(the call takes effect and then answers 503), "stockout" and "quota" (Google's errors of that kind).
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

ANSWERS = ("reset", "after_effect", "stockout", "quota")


@dataclass
class Fault:
    """`times` calls of the method `api` whose parameters contain `match` get `answer` instead."""

    api: str
    answer: int | str
    times: int = 1
    match: dict[str, str] = field(default_factory=dict)
    consumed: int = 0


class Faults:
    """The planted faults, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def plant(self, fault: Fault) -> None:
        """Add one. Raises ValueError for an answer that is not known."""
        got = fault.answer
        if got not in ANSWERS and not (isinstance(got, int) and 400 <= got <= 599):
            raise ValueError(f"answer: got {got!r}, expected 400..599 or one of {ANSWERS}")
        with self._lock:
            self._faults.append(fault)

    def take(self, api: str, params: dict[str, Any]) -> Fault | None:
        """The fault that this call must meet, counting it, or None."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.api != api or fault.consumed >= fault.times:
                    continue
                if all(str(params.get(key, "")).find(part) >= 0 for key, part in fault.match.items()):
                    fault.consumed += 1
                    return fault
        return None

    def report(self) -> list[dict[str, Any]]:
        """Every planted fault with how often it was consumed."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._faults.clear()
