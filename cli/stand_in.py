"""The stand-in cloud as a child process of ours.

- One stand-in per state folder: a lock that the system releases with our process says so.
- It has a session of its own, so that Ctrl-C reaches us first and we end it in good order; if we are killed,
  the system ends it (on Linux).
- A restart takes the port that it had before, if that is free: runs under way hold addresses with it.
- What it prints goes to `stand-in.log` in the state folder.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from cli.errors import CommandError, PlaceError
from cli.output import note
from cli.package import ROOT

READY_WITHIN_S = 60.0
END_WITHIN_S = 20.0
_POLL_S = 0.02
_LITTLE_BYTES = 8 << 20
# Nothing of the caller's own settings may reach the stand-in or what it starts.
_DROPPED = ("SEALTRAIN_", "GOOGLE_", "CLOUDSDK_", "GCE_METADATA_", "STORAGE_EMULATOR", "BIGQUERY_EMULATOR")
_PDEATHSIG = 1


class Ready(msgspec.Struct, frozen=True):
    """What the stand-in says once it answers."""

    endpoint: str
    front: str
    project: str


class StandIn:
    """Starts on entering, ends on leaving. `machine_env` are variables for workloads in its machines."""

    def __init__(self, state: Path, port: int, machine_env: dict[str, str]) -> None:
        self.state = state.resolve()
        self._port, self._machine_env = port, machine_env
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.ready = Ready("", "", "")

    def __enter__(self) -> StandIn:
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(self.state)
        (self.state / "machine-env.json").write_bytes(msgspec.json.encode(self._machine_env))
        ready = self.state / "ready.json"
        port = self._port or _port_before(ready)
        ready.unlink(missing_ok=True)
        try:
            self._process = _start(self.state, port, ready)
            self.ready = _until_ready(self._process, ready, self.state / "stand-in.log")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        free = shutil.disk_usage(self.state).free
        if kind is not None and free < _LITTLE_BYTES:
            note(f"only {free:,} bytes are free in {self.state}: that may be the cause; free some space")
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._lock is not None:
            self._lock.close()

    def wait(self) -> None:
        """Until it ends by itself. Raises PlaceError then."""
        assert self._process is not None  # noqa: S101 - only called after entering
        code = self._process.wait()
        raise PlaceError(
            f"the stand-in ended by itself with {code}",
            got=_last_line(self.state / "stand-in.log"),
            remedy=f"read {self.state / 'stand-in.log'}, then start it again: the state is kept",
        )

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None  # noqa: S101 - only called after entering
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.state / "stand-in.log"


def _locked(state: Path) -> IO[str]:
    lock = (state / "up.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise CommandError(
            "a stand-in already runs on this state",
            field="--state",
            got=f"{state}, held by process {holder or 'unknown'}",
            remedy="use the one that runs (other verbs find it from its folder), or give another --state",
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _port_before(ready: Path) -> int:
    """The port of the last start on this state if it is free now, else 0 (any)."""
    try:
        port = int(msgspec.json.decode(ready.read_bytes(), type=Ready).endpoint.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)):
            return port
    except (OSError, ValueError, msgspec.DecodeError):
        return 0


def _start(state: Path, port: int, ready: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "localcloud", "up", "--state", str(state), "--port", str(port)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_DROPPED)}
    with (state / "stand-in.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own program
            [*argv, "--ready-file", str(ready)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - nothing but one system call; we have one thread
        )


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)


def _until_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> Ready:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if ready.exists():
            return msgspec.json.decode(ready.read_bytes(), type=Ready)
        if process.poll() is not None:
            raise PlaceError(
                f"the stand-in did not start (exit {process.returncode})",
                got=_last_line(log),
                remedy=f"read {log}; is the port free?",
            )
        time.sleep(_POLL_S)
    raise PlaceError(f"the stand-in was not ready within {READY_WITHIN_S:.0f} s", remedy=f"read {log}")


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing in its log"
