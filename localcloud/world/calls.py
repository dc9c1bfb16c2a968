"""The API calls that came in, in order: method, resource, caller, status. The last `KEPT`, in memory."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 20_000


@dataclass
class Entry:
    """One call. `status` is 0 while it is under way."""

    number: int
    time: str
    method: str  # Google's method id
    resource: str  # path and query as they came
    caller: str  # the IAM principal
    status: int = 0


class Calls:
    """The record. Thread-safe."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def begin(self, time: str, method: str, resource: str, caller: str) -> Entry:
        """Note a call; whoever answers it sets `status`."""
        with self._lock:
            entry = Entry(next(self._numbers), time, method, resource, caller)
            self._entries.append(entry)
        return entry

    def report(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()
