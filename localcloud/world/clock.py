"""The stand-in's time: it runs with the machine's; the control door can move it, freeze it, or let it leap.

Rules
- It lies in a file, so that it never goes back, not even after `kill -9`, and so that every process that the
  stand-in starts reads the same time (`shared_time.py`).
- It leaps when it was told to: while nothing real is under way, the beat moves it straight to whatever is
  awaited next. Time then passes only where real work is done.
- Somebody who merely looks (the person at the keyboard) does not hold it up.
"""

from __future__ import annotations

import math
import mmap
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_FORM = struct.Struct("<ddd")  # seconds ahead of the machine; frozen at, or NaN; 1 if it leaps
_RUNNING = math.nan
# A workflow is between two calls for less than this; longer silence means that nobody works.
_QUIET_S = 0.03


class Clock:
    """Epoch seconds that never go back. `changed` is notified whenever somebody moves the time."""

    def __init__(self, file: Path) -> None:
        self.changed = threading.Condition()
        self._shared = _mapped(file)
        self._ahead: float
        self._frozen_at: float
        self._ahead, self._frozen_at, leaps = _FORM.unpack_from(self._shared)
        self.leaps = bool(leaps)
        self._count = threading.Lock()
        self._under_way, self._last_ended = 0, time.monotonic()
        self._awaited: dict[int, float] = {}

    def now(self) -> float:
        """Epoch seconds."""
        return time.time() + self._ahead if math.isnan(self._frozen_at) else self._frozen_at

    @property
    def frozen(self) -> bool:
        """Whether only `advance` moves it."""
        return not math.isnan(self._frozen_at)

    def timestamp(self, at: float | None = None) -> str:
        """RFC 3339 with microseconds, as Google writes it."""
        moment = datetime.fromtimestamp(self.now() if at is None else at, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def advance(self, seconds: float) -> None:
        """Move time forward by `seconds` (>= 0)."""
        with self.changed:
            self._set(self._ahead + seconds, self._frozen_at + seconds, self.leaps)

    def freeze(self) -> None:
        """Stop the clock at this moment; only `advance` moves it."""
        with self.changed:
            self._set(self._ahead, self.now(), self.leaps)

    def thaw(self) -> None:
        """Let the clock run on from where it stands."""
        with self.changed:
            if self.frozen:
                self._set(self._frozen_at - time.time(), _RUNNING, self.leaps)

    def leap(self, leaps: bool) -> None:
        """Whether time that nothing real fills is skipped from now on."""
        with self.changed:
            self._set(self._ahead, self._frozen_at, leaps)

    def _set(self, ahead: float, frozen_at: float, leaps: bool) -> None:
        self._ahead, self._frozen_at, self.leaps = ahead, frozen_at, leaps
        _FORM.pack_into(self._shared, 0, ahead, frozen_at, leaps)
        self.changed.notify_all()

    def wait_until(self, when: float, stop: threading.Event) -> bool:
        """Block until the clock reads `when` or later; False if `stop` was set first."""
        with self.awaiting(when):
            while not stop.is_set():
                left = when - self.now()
                if left <= 0:
                    return True
                with self.changed:
                    self.changed.wait(0.5 if self.frozen else min(left, 0.5))
        return False

    # What the leaping needs to know.

    @contextmanager
    def awaiting(self, when: float) -> Iterator[None]:
        """Somebody waits for this moment."""
        key = threading.get_ident()
        with self._count:
            self._awaited[key] = when
        try:
            yield
        finally:
            with self._count:
                del self._awaited[key]

    @contextmanager
    def working(self) -> Iterator[None]:
        """Something real is under way; the clock does not leap meanwhile."""
        with self._count:
            self._under_way += 1
        try:
            yield
        finally:
            with self._count:
                self._under_way -= 1
                self._last_ended = time.monotonic()

    def quiet(self) -> bool:
        """Whether nothing real is under way, and has not been for a moment."""
        with self._count:
            return not self._under_way and time.monotonic() - self._last_ended > _QUIET_S

    def next_awaited(self) -> float | None:
        """The earliest moment that somebody waits for."""
        with self._count:
            return min(self._awaited.values(), default=None)


def shared_by(folder: Path) -> Path:
    """The clock's file in `folder`; with the folder on its path, a Python process reads that clock."""
    folder.mkdir(exist_ok=True)
    source = Path(__file__).with_name("shared_time.py").read_bytes()
    (folder / "sitecustomize.py").write_bytes(source)
    return folder / "now"


def _mapped(file: Path) -> mmap.mmap:
    if not file.exists():
        draft = file.with_suffix(".draft")
        draft.write_bytes(_FORM.pack(0.0, _RUNNING, 0.0))
        draft.replace(file)
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), _FORM.size)
