"""The process behind each function: started at its first call, kept warm, started again when it died.

- One Functions Framework process per function, on a loopback port of its own, in the unpacked source.
- Its environment is the platform's minimum plus the function's own variables, nothing of the stand-in's.
- It learns who it is from a metadata server of its own; what it prints goes to Logging.
- What a stand-in that was killed left running is ended at the next start.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localcloud.doors import Json
from localcloud.doors.functions_log import capture
from localcloud.identity.metadata import MetadataServer
from localcloud.identity.service import service_identity
from localcloud.machine import processes
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud, on_start, on_stop

_PREFIX = "function/"
_READY_WITHIN_S = 60.0
_GRACE_S = 2.0


class StartError(Exception):
    """The function's process ended, or did not listen, before its first answer."""


@dataclass
class Instance:
    """One running function."""

    revision: str
    port: int
    process: subprocess.Popen[bytes]
    metadata: MetadataServer
    reader: threading.Thread  # of what it prints

    def close(self) -> None:
        """After the process: nobody to tell who it is, nothing left to read."""
        self.metadata.close()
        self.reader.join(2.0)


class Instances:
    """All running functions of one stand-in."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._running: dict[str, Instance] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def warm(self, function: Json) -> Instance:
        """The running instance of `function`, started if need be. Raises StartError."""
        name, revision = function["name"], function["serviceConfig"]["revision"]
        with self._lock:
            own = self._locks.setdefault(name, threading.Lock())
        with own:
            found = self._running.get(name)
            if found and found.revision == revision and found.process.poll() is None:
                return found
            self._end(name)
            if self._stopped:
                raise StartError("the platform is shutting down")
            self._running[name] = self._start(function)
            return self._running[name]

    def stop(self) -> None:
        """End every process and start no more: whoever still calls (a workflow, say) gets 503."""
        with self._lock:
            self._stopped = True
            starting = list(self._locks.values())
        self.end_all()
        for own in starting:
            with own:  # a start that was under way has ended by now, or is on record
                pass
        self.end_all()

    def end_all(self) -> None:
        """End every process of ours, and those that an earlier stand-in left."""
        processes.end_all(self._cloud, _PREFIX, _GRACE_S)
        # Each may wait for the end of what its process prints: all at once.
        closing = [self._running.pop(name) for name in list(self._running)]
        with ThreadPoolExecutor(max(1, len(closing))) as pool:
            list(pool.map(Instance.close, closing))

    def forget_missing(self) -> None:
        """End what belongs to functions that no longer exist."""
        for name in list(self._running):
            if self._cloud.store.get("cloudfunctions.function", name) is None:
                self._end(name)

    def _end(self, name: str) -> None:
        found = self._running.pop(name, None)
        if found is not None:
            processes.end(self._cloud, _PREFIX + name, _GRACE_S)
            found.close()

    def _start(self, function: Json) -> Instance:
        cloud, service = self._cloud, function["serviceConfig"]
        processes.end(cloud, _PREFIX + function["name"], 0)  # of an earlier stand-in, if it is still there
        metadata = MetadataServer(service_identity(cloud, service["serviceAccountEmail"]))
        port = _free_port()
        argv = [sys.executable, "-m", "functions_framework", "--source", "main.py"]
        argv += ["--target", function["buildConfig"]["entryPoint"]]
        argv += ["--host", "127.0.0.1", "--port", str(port)]
        process = processes.start(
            cloud,
            _PREFIX + function["name"],
            argv,
            env=_environment(cloud, function, metadata.address, port),
            cwd=Path(function["_folder"]),
        )
        reader = capture(cloud, function, process)
        instance = Instance(service["revision"], port, process, metadata, reader)
        try:
            _wait_until_ready(instance)
        except StartError:
            processes.end(cloud, _PREFIX + function["name"], 0)
            instance.close()
            raise
        return instance


def _environment(cloud: Cloud, function: Json, metadata: str, port: int) -> dict[str, str]:
    short = function["name"].rpartition("/")[2]
    service = function["serviceConfig"]
    return {
        "PATH": str(Path(sys.executable).parent) + ":/usr/local/bin:/usr/bin:/bin",
        "HOME": tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(cloud.time_folder),  # its clock is the platform's
        "PYTHONUNBUFFERED": "1",
        "WORKERS": "1",
        "THREADS": "16",
        **service.get("environmentVariables", {}),
        "PORT": str(port),
        "K_SERVICE": short,
        "K_REVISION": service["revision"],
        "FUNCTION_TARGET": function["buildConfig"]["entryPoint"],
        "FUNCTION_SIGNATURE_TYPE": "cloudevent" if "eventTrigger" in function else "http",
        "GCE_METADATA_HOST": metadata,
        "GCE_METADATA_IP": metadata,
        "GOOGLE_CLOUD_PROJECT": cloud.project,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(instance: Instance) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        if instance.process.poll() is not None:
            raise StartError(f"the process ended with {instance.process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", instance.port), 1):
            return
        time.sleep(0.01)
    raise StartError(f"nothing listened on port {instance.port} within {_READY_WITHIN_S:.0f} s")


def instances(cloud: Cloud) -> Instances:
    """The running functions of `cloud`."""
    found: Instances = cloud.live.setdefault("functions", Instances(cloud))
    return found


@task("functions.tidy")
def tidy(cloud: Cloud, _: Json) -> None:
    """End the processes of functions that were deleted."""
    instances(cloud).forget_missing()


@on_start
def end_orphans(cloud: Cloud) -> None:
    """A stand-in that was killed left its functions running: end them."""
    processes.end_left_behind(cloud, _PREFIX)


@on_stop
def end_functions(cloud: Cloud) -> None:
    """Stop every function with the stand-in."""
    instances(cloud).stop()
