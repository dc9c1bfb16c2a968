"""The heartbeat: runs work that became due, at least once, also across restarts.

A task is a function `(cloud, payload)` registered under a name. Its row is forgotten after it returned, so a
task that was under way when the process died runs again: tasks must bear being repeated. A task that raises
is tried again after a growing pause, six times, and then dropped with a line on standard error.

When the clock leaps, it is moved from here: to the earliest moment that somebody waits for, through all that
lies before it. A task that merely lies ahead (a schedule, a rotation, an end of life) attracts nobody; it
happens on the way.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.world.cloud import Cloud
    from localcloud.world.store import Due

Task = Callable[["Cloud", dict[str, Any]], None]
TASKS: dict[str, Task] = {}
_AHEAD: set[str] = set()  # tasks that nobody waits for
_TRIES = 6
_LOOK_EVERY_S, _LOOK_TO_LEAP_EVERY_S = 0.25, 0.02


def task(name: str, *, awaited: bool = True) -> Callable[[Task], Task]:
    """Register a function as the work called `name`; `awaited`: whether a leaping clock leaps to it."""

    def register(function: Task) -> Task:
        TASKS[name] = function
        if not awaited:
            _AHEAD.add(name)
        return function

    return register


class Beat:
    """One thread that watches the clock and a pool that works."""

    def __init__(self, cloud: Cloud, workers: int = 64) -> None:
        self._cloud = cloud
        self._stop = threading.Event()
        self._wake = cloud.clock.changed
        self._running: set[int] = set()
        self._news = False  # something was planned since the last look
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="due")
        self._thread = threading.Thread(target=self._watch, name="beat", daemon=True)

    def start(self) -> None:
        """Begin to work off what is due."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; work under way is left to its end or to the next start."""
        self._stop.set()
        with self._wake:
            self._wake.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def later(self, seconds: float, task_name: str, payload: dict[str, Any]) -> None:
        """Do `task_name` in `seconds` of the stand-in's time; part of the running transaction."""
        cloud = self._cloud
        cloud.store.later(cloud.clock.now() + seconds, task_name, payload)
        with self._wake:
            self._news = True
            self._wake.notify_all()

    def _watch(self) -> None:
        store, clock = self._cloud.store, self._cloud.clock
        while not self._stop.is_set():
            self._news = False
            now, busy = clock.now(), set(self._running)  # before the rows: one that ends meanwhile is no news
            due = [row for row in store.due(now) if row.id not in busy]
            for row in due:
                self._running.add(row.id)
                self._pool.submit(self._work, row)
            if due or (clock.leaps and self._leap(now)):
                continue
            at, longest = store.next_due(now), _LOOK_TO_LEAP_EVERY_S if clock.leaps else _LOOK_EVERY_S
            with self._wake:
                pause = longest if at is None else max(0.002, min(longest, at - clock.now()))
                if not self._news:
                    self._wake.wait(pause)

    def _leap(self, now: float) -> bool:
        """Move the clock on to what is awaited next, unless something real is under way."""
        store, clock = self._cloud.store, self._cloud.clock
        if self._running or not clock.quiet():
            return False
        moments = (clock.next_awaited(), store.next_due(now, _AHEAD))
        awaited = min((moment for moment in moments if moment is not None), default=now)
        if awaited <= now or self._cloud.machines_at_work():
            return False
        on_the_way = store.next_due(now)
        clock.advance(max(0.0, min(awaited, on_the_way or awaited) - clock.now()))
        return True

    def _work(self, row: Due) -> None:
        store, clock = self._cloud.store, self._cloud.clock
        try:
            TASKS[row.task](self._cloud, row.payload)
        except Exception:
            if self._stop.is_set():
                return
            sys.stderr.write(f"{row.task} failed ({row.failures + 1}):\n{traceback.format_exc()}")
            if row.failures + 1 < _TRIES:
                store.postpone(row.id, clock.now() + 0.2 * 2**row.failures)
            else:
                store.done(row.id)
        else:
            store.done(row.id)
        finally:
            self._running.discard(row.id)
