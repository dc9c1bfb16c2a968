"""Child processes on record, so that none is lost and none is mistaken.

- Each is a session of its own and ends with everything in its process group.
- It does not begin before it is on record: a shell waits for a line on standard input, and gives up when the
  stand-in dies before sending it.
- A record is pid and create time, because a pid alone may by now be somebody else's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Any

import psutil

from localcloud.world.cloud import Cloud

KIND = "process"
_DYING_S = 5.0  # on a busy machine a killed process is not gone at once
_WAIT_FOR_GO = 'read -r go && exec "$@"'


def start(
    cloud: Cloud,
    name: str,
    argv: list[str],
    *,
    env: dict[str, str],
    cwd: Path,
    given: bytes = b"",
    facts: dict[str, str] | None = None,
    output: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start `argv` under `name`; `given` is its standard input, `facts` go on its record.

    Standard error goes with standard output.
    """
    process = subprocess.Popen(  # noqa: S603 - the stand-in's own command
        ["/bin/sh", "-c", _WAIT_FOR_GO, "sh", *argv],
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    cloud.live.setdefault(KIND, {})[name] = process
    created = psutil.Process(process.pid).create_time()
    cloud.store.put(KIND, name, {**(facts or {}), "pid": process.pid, "created": created})
    assert process.stdin is not None  # noqa: S101 - asked for above
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"go\n" + given)
        process.stdin.close()
    return process


def running(cloud: Cloud, name: str) -> psutil.Process | None:
    """The live process on record under `name`, or None."""
    record = cloud.store.get(KIND, name)
    if record is None:
        return None
    child = cloud.live.get(KIND, {}).get(name)
    if child is not None and child.pid == record["pid"] and child.poll() is not None:
        return None
    return _live(record)


def alive(cloud: Cloud, name: str, record: dict[str, Any]) -> bool:
    """Whether the process on this record lives; cheap for a child of ours."""
    child = cloud.live.get(KIND, {}).get(name)
    if child is not None and child.pid == record["pid"]:
        return bool(child.poll() is None)
    return _live(record) is not None


def _live(record: dict[str, Any]) -> psutil.Process | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["created"]) < 1
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def end_left_behind(cloud: Cloud, prefix: str) -> None:
    """End what an earlier stand-in, which was killed, left running under names with this prefix."""
    for name, record in cloud.store.documents(KIND, prefix):
        if name in cloud.live.get(KIND, {}):
            continue  # started by this one in the meantime
        process = _live(record)
        if process is not None:
            _signal(process.pid, signal.SIGKILL)
        with cloud.store.transaction():
            if cloud.store.get(KIND, name) == record:
                cloud.store.delete(KIND, name)


def end(cloud: Cloud, name: str, grace_s: float) -> None:
    """Ask the process to end, after `grace_s` of real time make it end, and strike it off the record."""
    process = running(cloud, name)
    if process is not None:
        _signal(process.pid, signal.SIGTERM)
        if not _ended(cloud, name, grace_s):
            _signal(process.pid, signal.SIGKILL)
            _ended(cloud, name, _DYING_S)
    cloud.store.delete(KIND, name)


def _ended(cloud: Cloud, name: str, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while running(cloud, name) is not None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def end_all(cloud: Cloud, prefix: str, grace_s: float) -> None:
    """End every process whose name starts with `prefix`; the grace is shared."""
    names = [name for name, _ in cloud.store.documents(KIND, prefix)]
    for name in names:
        process = running(cloud, name)
        if process is not None:
            _signal(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    for name in names:
        end(cloud, name, max(0.0, deadline - time.monotonic()))


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
