"""The weather: how long things take and how often they go wrong, in the stand-in's time. One table.

- `gentle` is for demonstrations: short, and nothing goes wrong by itself. `harsh` is a bad day on Google
  Cloud. Any kind's seconds can be given exactly instead. In all but the plain gentle one the clock leaps,
  because nobody wants to sit through hours.
- Nothing is drawn but from the seed: the n-th boot, the n-th grant … of a seed is always the same. Name,
  seed and how often each kind was drawn lie in the store, so a restart goes on in the row.
- Where Google documents a time, the row says so; where it does not, the time is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from localcloud.world.clock import Clock
from localcloud.world.store import Store

GENTLE, HARSH = "gentle", "harsh"
NAMES = (GENTLE, HARSH)
_KIND = "weather"
Span = tuple[float, float]  # from and to


@dataclass(frozen=True)
class Row:
    """One kind of thing: its seconds, or how often out of one it happens."""

    gentle: Span
    harsh: Span
    source: str


def _always(number: float) -> Span:
    return number, number


SECONDS = {
    "boot": Row(_always(0.2), (30, 180), "guess: provisioning, boot, start of the launcher"),
    "stop": Row(_always(0.1), (20, 120), "documented: the guest gets up to 120 s"),
    "delete": Row(_always(0.1), (30, 150), "documented: as stop, then the disks"),
    "template": Row(_always(0.05), (1, 10), "guess"),
    "group": Row(_always(0.1), (10, 120), "guess: a group waits for its instances"),
    "reservation": Row(_always(0.1), (5, 90), "guess"),
    "capacity": Row(_always(0.5), (600, 8 * 3600), "documented: flex-start waits without bound"),
    "no_capacity": Row(_always(0.5), (600, 3600), "guess: until a request is looked at again"),
    "grant": Row(_always(0), (10, 420), "documented: typically 2 minutes, 7 or longer"),
    "list": Row(_always(0), (0, 30), "documented without numbers: eventually consistent"),
    "event": Row(_always(0), (0, 60), "documented without numbers: no order, no bound"),
    "preemption": Row(_always(60), (60, 4 * 3600), "documented: any time within 24 hours"),
}
CHANCES = {
    "stockout": Row(_always(0), _always(0.3), "a zone has no room for an instance or a request"),
    "twice": Row(_always(0), _always(0.3), "documented: events are delivered at least once"),
    "preempted": Row(_always(0), _always(0.5), "documented: Spot only, at any time"),
}


class Weather:
    """Draws for one stand-in."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        stored = store.get(_KIND, _KIND) or {}
        self.name, self.seed = str(stored.get("name", GENTLE)), int(stored.get("seed", 0))
        self.exactly: dict[str, float] = stored.get("exactly", {})

    def change(self, name: str, seed: int, exactly: dict[str, float]) -> None:
        """From now on; draws begin anew. `exactly`: kinds that take just so many seconds.

        Raises ValueError for a name or kind that is not known.
        """
        if name not in NAMES:
            raise ValueError(f"name: got {name!r}, expected one of {', '.join(NAMES)}")
        for kind in exactly.keys() - SECONDS.keys():
            raise ValueError(f"exactly: got {kind!r}, expected some of {', '.join(SECONDS)}")
        self.name, self.seed, self.exactly = name, seed, exactly
        self._store.put(_KIND, _KIND, {"name": name, "seed": seed, "exactly": exactly, "drawn": {}})
        self._clock.leap(name == HARSH or bool(exactly))

    def seconds(self, kind: str) -> float:
        """How long the next thing of this kind takes."""
        least, most = self._span(kind)
        return least if least == most else self._next(kind).uniform(least, most)

    def happens(self, kind: str) -> bool:
        """Whether the next thing of this kind goes wrong."""
        often, _ = self._of(CHANCES[kind])
        return often > 0 and self._next(kind).random() < often

    def longest(self, kind: str) -> float:
        """The longest that anything of this kind takes; 0 means that it takes no time."""
        return self._span(kind)[1]

    def _span(self, kind: str) -> Span:
        return _always(self.exactly[kind]) if kind in self.exactly else self._of(SECONDS[kind])

    def _of(self, row: Row) -> Span:
        return row.harsh if self.name == HARSH else row.gentle

    def _next(self, kind: str) -> Random:
        with self._store.transaction():
            stored = self._store.get(_KIND, _KIND) or {"drawn": {}}
            number = stored["drawn"].get(kind, 0)
            stored["drawn"][kind] = number + 1
            self._store.put(_KIND, _KIND, stored)
        return Random(f"{self.seed}/{kind}/{number}")  # noqa: S311 - no secret
