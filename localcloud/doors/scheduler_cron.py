"""Unix-cron schedules: when is the next time?

Rules
- Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday; names in three
  letters).
- A field is a list of `*`, a number or a range, each with an optional step (`*/15`, `8-18/2`).
- When both days are restricted, either suffices. A time that a clock change skips does not happen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FARTHEST_DAYS = 366 * 8  # the longest wait for a 29 February


@dataclass(frozen=True)
class Cron:
    """A parsed schedule."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """The first time later than `moment` (aware), in UTC; None if there is none."""
        local = moment.astimezone(zone)
        for offset in range(_FARTHEST_DAYS):
            day = local.date() + timedelta(days=offset)
            if self._fits(day):
                for candidate in self._times(day, zone):
                    if candidate > moment:
                        return candidate
        return None

    def _fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def _times(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                moment = wall.astimezone(UTC)
                if moment.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
                    yield moment


def parse(text: str) -> Cron:
    """Raises ValueError telling which field is wrong."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"got {len(fields)} fields, expected 5 (minute hour day month weekday)")
    minute, hour, day, month, weekday = fields
    weekdays = _numbers("day of week", weekday, 0, 7, _DAYS, 0)
    return Cron(
        minutes=_numbers("minute", minute, 0, 59),
        hours=_numbers("hour", hour, 0, 23),
        days=_numbers("day of month", day, 1, 31),
        months=_numbers("month", month, 1, 12, _MONTHS, 1),
        weekdays=frozenset(number % 7 for number in weekdays),
        any_day=day.startswith("*"),
        any_weekday=weekday.startswith("*"),
    )


def _numbers(
    field: str, text: str, low: int, high: int, names: list[str] | None = None, base: int = 0
) -> frozenset[int]:
    def number(word: str) -> int:
        if names and word.upper() in names:
            return names.index(word.upper()) + base
        if not word.isascii() or not word.isdigit() or not low <= int(word) <= high:
            raise ValueError(f"{field}: got {word!r}, expected {low} to {high}")
        return int(word)

    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not step.isascii() or not step.isdigit() or int(step) == 0):
            raise ValueError(f"{field}: got step {step!r}, expected a number above 0")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = number(first)
            end = number(last) if dash else (high if slash else start)
        if start > end:
            raise ValueError(f"{field}: got {span!r}, which runs backward")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)
