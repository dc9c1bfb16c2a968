"""The order in which branches touch shared variables, recorded so that a replay keeps it.

Rules: an access (one assignment, or one value read) is a turn; turns exclude one another, so a read
and write in one assignment is atomic; each turn is recorded before it is taken; while recorded
turns are left, only the recorded next one proceeds.
Without this, a replay could let another branch win a race and meet records of a way it no longer
goes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .host import Host
from .journal import Journal, entry_for

if TYPE_CHECKING:
    from .strand import Strand

_LOOK_AGAIN_S = 0.2


class Turns:
    """The turns of all branches below one routine's parallel step."""

    def __init__(self, journal: Journal, host: Host, key: str) -> None:
        self._journal = journal
        self._host = host
        self._key = key
        self._taken = 0
        self._stopped = False
        self._change = threading.Condition(threading.RLock())

    @contextmanager
    def turn(self, strand: Strand) -> Iterator[None]:
        """Hold the shared variables for one access."""
        key = strand.next_key()
        with self._change:
            self._await(key)
            try:
                yield
            finally:
                self._taken += 1
                self._change.notify_all()

    def _await(self, key: str) -> None:
        while True:
            place = f"{self._key}!{self._taken}"
            entry = self._journal.get(place)
            if entry is None:
                self._journal.put(place, entry_for("turn", "value", key))
                return
            if entry["value"] == key:
                return
            if self._stopped:
                raise TurnsStopped
            self._change.wait(_LOOK_AGAIN_S)
            self._host.check_cancelled()

    def stop(self) -> None:
        """Wake and end every branch that waits: the execution is coming down."""
        with self._change:
            self._stopped = True
            self._change.notify_all()


class TurnsStopped(Exception):  # noqa: N818  # never shown: the cause ends the execution
    """Another branch ended in a way that ends the execution."""
