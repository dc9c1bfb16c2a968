"""Faults as data: "the next two calls of X answer 503". Whoever plants one can ask whether it was consumed.

`match` narrows a fault to calls with these words in their parameters or body fields ("zone", "labels.run").
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

# Besides an HTTP status of 400..599, which is answered while nothing happens. doors.planted does it.
ANSWERS = {
    "reset": "the connection is cut, and nothing happened",
    "timeout": "nothing is answered for a minute of the stand-in's time, then the connection is cut; nothing "
    "happened",
    "after_effect": "it happened, and the answer is 503",
    "stockout": "the zone has no room: 503 with `ZONE_RESOURCE_POOL_EXHAUSTED`, and nothing happened; at "
    "`compute.instances.insert` as Google tells it, the operation begins and fails",
    "quota": "403 with `quotaExceeded`, and nothing happened",
    "duplicate": "it happened twice, as if the network had carried the call twice; the first answer is given",
    "kill": "it happened, and the stand-in dies (SIGKILL) without a word; its next start goes on from there",
}


@dataclass
class Fault:
    """`times` calls of the method `api` whose parameters or body contain `match` meet `answer`."""

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
        known = got in ANSWERS if isinstance(got, str) else type(got) is int and 400 <= got <= 599
        if not known:
            raise ValueError(f"answer: got {got!r}, expected 400..599 or one of {tuple(ANSWERS)}")
        if type(fault.times) is not int or fault.times < 1:
            raise ValueError(f"times: got {fault.times!r}, expected 1 or more")
        if not isinstance(fault.match, dict) or not all(isinstance(v, str) for v in fault.match.values()):
            raise ValueError(f"match: got {fault.match!r}, expected text by field")
        with self._lock:
            self._faults.append(fault)

    def take(self, api: str, told: dict[str, Any]) -> Fault | None:
        """The fault that a call with these parameters and body fields must meet, counting it, or None."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.api != api or fault.consumed >= fault.times:
                    continue
                if all(part in _text(told, path) for path, part in fault.match.items()):
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


def _text(told: Any, path: str) -> str:
    for key in (path,) if path in told else path.split("."):
        told = told.get(key) if isinstance(told, dict) else None
    return "" if told is None else str(told)
