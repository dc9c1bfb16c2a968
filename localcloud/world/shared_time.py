"""The stand-in's time for a Python process that it starts: as sitecustomize.py, beside the clock's file.

On Google all clocks agree: `time.time` and `datetime.now` of functions and workloads read the stand-in's
clock; what they measure (`time.monotonic`) and how they sleep stay the machine's. Python imports this before
anything else. It must stay small: every cold start pays for it.
"""

import datetime
import gc
import mmap
import struct
import time

_FORM = struct.Struct("<dd")  # seconds ahead of the machine; frozen at, or NaN (localcloud/world/clock.py)
_machine_ns = time.time_ns


def _shared() -> mmap.mmap:
    with open(__file__.replace("sitecustomize.py", "now"), "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _time_ns(_clock: mmap.mmap = _shared()) -> int:  # noqa: B008 - mapped once
    ahead, frozen_at = _FORM.unpack_from(_clock)
    return _machine_ns() + int(ahead * 1e9) if frozen_at != frozen_at else int(frozen_at * 1e9)  # noqa: PLR0124


def _time() -> float:
    return _time_ns() / 1e9


def _now(kind: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
    return kind.fromtimestamp(_time(), tz)


def _utcnow(kind: type[datetime.datetime]) -> datetime.datetime:
    return kind.fromtimestamp(_time(), datetime.UTC).replace(tzinfo=None)


def _install() -> None:
    # datetime is a C type, whose attributes cannot be set; the dictionary behind them can.
    (names,) = gc.get_referents(datetime.datetime.__dict__)
    names["now"], names["utcnow"] = classmethod(_now), classmethod(_utcnow)
    time.time, time.time_ns = _time, _time_ns


_install()
