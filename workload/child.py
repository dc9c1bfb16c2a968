"""Run the trainer: a child without keys, network or inherited environment, and within limits.

- It gets a directory to read, two to write (model, checkpoint), its arguments, and nothing on its input.
- What it prints is counted, never shown: it may hold data.
- Its whole process group is ended: at its end, at the deadline, when it fills its disk or makes too many
  processes, on preemption. Only a preemption is announced to it, so that it can write a checkpoint.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sealtrain.rules.order import OrderLimits

from workload.confine import REFUSED_EXIT
from workload.errors import Preempted, Reason, WorkloadError

CHECKPOINT = "checkpoint"
NOTICE_S = 10
"""How long a trainer may write its checkpoint: a Spot VM has 30 s in all, and it must be sealed too."""
MAX_PROCESSES = 256
_APP = Path(__file__).resolve().parent.parent
_CONFINE = Path(__file__).with_name("confine.py")
_POLL_S = 0.1
GPU = Path("/dev/nvidiactl")
_GPU_LIBRARIES = Path("/usr/local/nvidia/lib64")  # where Confidential Space puts the driver's
# What a trainer may say about its input: by one of these exit codes, from 64 on, and so no data.
_TOLD: tuple[Reason, ...] = (
    "arguments_refused", "data_refused", "target_refused", "columns_refused", "rows_refused", "gpu_missing",
)  # fmt: skip


def train(
    data: Path,
    arguments: Mapping[str, Any],
    work: Path,
    limits: OrderLimits,
    each_poll: Callable[[], None],
    app: Path = _APP,
) -> tuple[Path, int]:
    """Run the trainer in `work` and give its output directory and how many bytes it printed.

    Raises WorkloadError with the reason when it does not end well and in time.
    """
    out, scratch, kept = work / "out", work / "scratch", work / CHECKPOINT
    for folder in (out, scratch, kept):
        folder.mkdir(exist_ok=True)
    given, printed = work / "arguments.json", work / "printed"
    given.write_text(json.dumps(arguments, sort_keys=True))
    places = ["--data", str(data), "--out", str(out), "--arguments", str(given)]
    allowed = {
        "memory_bytes": limits.memory_bytes,
        "cpu_s": limits.seconds * (os.cpu_count() or 1),
        "file_bytes": limits.disk_bytes,
        "gpu": GPU.exists(),
    }
    read = [str(path) for path in (app, data, given, sys.prefix, sys.base_prefix)]
    write = [str(path) for path in (out, scratch, kept)]
    if GPU.exists():
        read += ["/proc/driver/nvidia", "/proc/devices"]
        write += ["/proc/self/task"]
    confine = [sys.executable, "-I", "-S", str(_CONFINE), str(os.getpid())]
    confine += [json.dumps(what) for what in (allowed, read, write)]
    with printed.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 (the image's own trainer; to run it is the purpose)
            [*confine, sys.executable, "-m", "trainer", *places],
            cwd=app,
            env=_environment(scratch, kept),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = _watch(process, work, limits, each_poll)
    except Preempted:
        _announce(process)
        raise
    finally:
        _end(process)
    if _used_bytes(work) >= limits.disk_bytes:
        raise WorkloadError("trainer_disk", f"wrote {limits.disk_bytes} bytes or more")
    if code == REFUSED_EXIT:
        raise WorkloadError("confinement_failed", "the system refused a limit or the filter")
    if code != 0:
        reason = dict(enumerate(_TOLD, 64)).get(code, "trainer_exit")
        raise WorkloadError(reason, f"the trainer ended with {code}")
    return out, printed.stat().st_size


def _environment(scratch: Path, kept: Path) -> dict[str, str]:
    libraries = {"LD_LIBRARY_PATH": str(_GPU_LIBRARIES)} if _GPU_LIBRARIES.exists() else {}
    return libraries | {
        "CHECKPOINT": str(kept),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _watch(
    process: "subprocess.Popen[bytes]", work: Path, limits: OrderLimits, each_poll: Callable[[], None]
) -> int:
    """Wait for the end; give the exit code. A full disk ends it early, and the caller says so."""
    deadline = time.monotonic() + limits.seconds
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_S)
        if _used_bytes(work) >= limits.disk_bytes:
            return 1
        if _processes(process.pid) > MAX_PROCESSES:
            raise WorkloadError("trainer_processes", f"more than {MAX_PROCESSES} processes")
        if time.monotonic() >= deadline:
            raise WorkloadError("trainer_timeout", f"not done after {limits.seconds} s")
        each_poll()


def _announce(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(NOTICE_S)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the group and wait until all of it is gone, also what outlived the trainer."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-process.pid, 0)


def _processes(group: int) -> int:
    """Count the group's processes: the kernel's own limit does not hold for root."""
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        with suppress(ProcessLookupError, ValueError):
            count += os.getpgid(int(name)) == group
    return count


def _used_bytes(work: Path) -> int:
    total = 0
    for directory, _, names in os.walk(work):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(directory, name)).st_size
    return total
