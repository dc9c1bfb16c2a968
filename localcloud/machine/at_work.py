"""Whether any machine does real work: what holds a leaping clock up.

A machine works while a process of it runs, is about to, or reads from disk, and for a moment after it last
used the processor (it may be between two looks at something). One that sleeps longer only waits for time to
pass.
"""

from __future__ import annotations

import time

import psutil

from localcloud.machine import processes
from localcloud.machine.boot import PREFIX
from localcloud.world.cloud import Cloud, on_start

_MOMENT_S = 0.3
_AT_IT = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP, psutil.STATUS_WAKING)


class AtWork:
    """Looks at the machines of one stand-in when called."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._used, self._changed = 0.0, 0.0

    def __call__(self) -> bool:
        working, used = False, 0.0
        for name, _ in self._cloud.store.documents(processes.KIND, PREFIX):
            machine = processes.running(self._cloud, name)
            for process in _all(machine) if machine else []:
                try:
                    with process.oneshot():
                        times = process.cpu_times()
                        used += times.user + times.system
                        working |= process.status() in _AT_IT
                except psutil.NoSuchProcess:
                    working = True  # something just ended: whoever waited for it goes on now
        if working or used != self._used:
            self._used, self._changed = used, time.monotonic()
        return time.monotonic() - self._changed < _MOMENT_S


def _all(machine: psutil.Process) -> list[psutil.Process]:
    try:
        return [machine, *machine.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@on_start
def look(cloud: Cloud) -> None:
    """Answer the beat."""
    cloud.machines_at_work = AtWork(cloud)
