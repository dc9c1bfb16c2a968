"""Running the workload: the image's program as a child process.

- The base of every image is the machine's own Python: `python3` is this interpreter. A path of the image
  (/app/…) means the folder where the image was unpacked.
- The child is a session of its own; when it ends, or the machine stops, all that it started ends too. If the
  machine dies, the child dies with it.
- Its environment is the image's, the metadata's and the machine's: nothing else leaks in.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

_PYTHONS = ("python", "python3", "/usr/bin/python3", "/usr/local/bin/python3")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of whatever the workload leaves behind, so that it can be found and ended."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def argv_of(config: Mapping[str, Any], cmd: tuple[str, ...], root: Path) -> list[str]:
    """The command line: entry point and arguments (`cmd` in place of the image's own, if given)."""
    words = [*(config.get("Entrypoint") or []), *(cmd or config.get("Cmd") or [])]
    if not words:
        return []
    words = [inside(word, root) for word in words]
    return [sys.executable, *words[1:]] if words[0] in _PYTHONS else words


def environment_of(
    config: Mapping[str, Any], given: Mapping[str, str], root: Path, time_folder: str = ""
) -> dict[str, str]:
    """The child's whole environment."""
    image: dict[str, str] = {}
    for pair in config.get("Env") or []:
        key, _, value = pair.partition("=")
        image[key] = ":".join(inside(piece, root) for piece in value.split(":"))
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    image["PYTHONPATH"] = ":".join(filter(None, (time_folder, image.get("PYTHONPATH", ""))))
    return {"HOME": str(root), "LANG": "C.UTF-8", **image, "PATH": path, **given}


def inside(text: str, root: Path) -> str:
    """An absolute path that exists in the image, as a path on this machine; anything else unchanged."""
    if text.startswith("/") and text != "/" and (root / text.lstrip("/")).exists():
        return str(root / text.lstrip("/"))
    return text


class Workload:
    """One run of the workload. Start it from the main thread: its life hangs on that thread's."""

    def __init__(
        self, argv: list[str], env: dict[str, str], cwd: Path, on_line: Callable[[str], None]
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - running the image is the purpose
            argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread at this point forks, and execs at once
        )
        self._on_line = on_line
        self._reader = threading.Thread(target=self._read, name="workload-output", daemon=True)
        self._reader.start()

    def wait(self, stopping: threading.Event, grace_s: float) -> int:
        """Its exit code. When `stopping` is set it is asked to end, and after `grace_s` made to."""
        while not self._ended(0.05):
            if stopping.is_set():
                self._signal(signal.SIGTERM)
                end = time.monotonic() + grace_s
                while not self._ended(0.05) and time.monotonic() < end:
                    pass
                break
        self._end_all()
        code = self._process.wait()
        self._reader.join(2.0)
        return code

    def _ended(self, seconds: float) -> bool:
        """Whether the child ended; it is not reaped yet, so its number is still its own."""
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        if os.waitid(os.P_PID, self._process.pid, options) is not None:
            return True
        time.sleep(seconds)
        return False

    def _end_all(self) -> None:
        self._signal(signal.SIGKILL)
        for child in psutil.Process().children(recursive=True):
            if child.pid != self._process.pid:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - started with a pipe
        for raw in self._process.stdout:
            self._on_line(raw.decode(errors="replace").rstrip("\n"))


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
