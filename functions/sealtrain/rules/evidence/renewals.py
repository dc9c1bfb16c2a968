"""A machine's later tokens, found without a listing: their places are derived, and taken in turn.

How: rules/later.py. What other machines put into the bucket costs nothing here, however much of it there is.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sealtrain.rules import later, names, records, signing
from sealtrain.rules.resources import ObjectInfo


class Renewal(msgspec.Struct, frozen=True):
    """The n-th later token record, as it stands in the evidence bucket."""

    number: int
    stored: ObjectInfo


def places(run: str, key: later.PlaceKey, first: records.TokenRecord) -> Callable[[int], str]:
    """The names of a run's later tokens, by number. Raises EvidenceError for a key that is not P-256."""
    own, machines = key.key(), signing.public_key(first.public_key_pem)
    return lambda number: later.place(names.shown_prefix(run), own, machines, number)


def newest_first(
    stat: Callable[[int], ObjectInfo | None], wanted: Callable[[Renewal], bool]
) -> list[Renewal]:
    """The newest and those before it for as long as they are wanted; `stat` looks at a place."""
    looked: dict[int, ObjectInfo | None] = {}

    def at(number: int) -> ObjectInfo | None:
        if number not in looked:
            looked[number] = stat(number)
        return looked[number]

    found: list[Renewal] = []
    for number in range(_last(lambda number: at(number) is not None), 0, -1):
        stored = at(number)
        if stored is None or not wanted(Renewal(number, stored)):
            break
        found.append(Renewal(number, stored))
    return found


def _last(stands: Callable[[int], bool]) -> int:
    """The last place that is taken, 0 if none is; all before it are. Looks at about two times log2 of it."""
    low, high = 0, 1
    while stands(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if stands(middle) else (low, middle)
    return low
