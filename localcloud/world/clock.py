"""The stand-in's time: it runs with the machine's, and the control door can move it forward or freeze it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Epoch seconds that never go back. `changed` is notified whenever somebody moves the time."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._ahead = 0.0
        self._frozen_at: float | None = None

    def now(self) -> float:
        """Epoch seconds."""
        return self._frozen_at if self._frozen_at is not None else time.time() + self._ahead

    @property
    def frozen(self) -> bool:
        """Whether only `advance` moves it."""
        return self._frozen_at is not None

    def timestamp(self, at: float | None = None) -> str:
        """RFC 3339 with microseconds, as Google writes it."""
        moment = datetime.fromtimestamp(self.now() if at is None else at, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def advance(self, seconds: float) -> None:
        """Move time forward by `seconds` (>= 0)."""
        if seconds < 0:
            raise ValueError(f"time does not go back: got {seconds} seconds")
        with self.changed:
            self._ahead += seconds
            if self._frozen_at is not None:
                self._frozen_at += seconds
            self.changed.notify_all()

    def freeze(self) -> None:
        """Stop the clock at this moment; only `advance` moves it."""
        with self.changed:
            self._frozen_at = self.now()

    def thaw(self) -> None:
        """Let the clock run on from where it stands."""
        with self.changed:
            if self._frozen_at is not None:
                self._ahead = self._frozen_at - time.time()
                self._frozen_at = None
                self.changed.notify_all()

    def wait_until(self, when: float, stop: threading.Event) -> bool:
        """Block until the clock reads `when` or later; False if `stop` was set first."""
        while not stop.is_set():
            left = when - self.now()
            if left <= 0:
                return True
            with self.changed:
                self.changed.wait(min(left, 0.5) if self._frozen_at is None else 0.5)
        return False
