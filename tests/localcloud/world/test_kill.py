"""The stand-in is killed without warning: what it had accepted is still done by the next one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.localcloud.conftest import eventually
from tests.localcloud.receiver import receiving

P = "projects/demo-project"
Start = Callable[[], tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the stand-in as a process on one folder; gives the process and its endpoint."""
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> tuple[subprocess.Popen[bytes], str]:
        ready = tmp_path / "ready"
        ready.unlink(missing_ok=True)
        state = str(tmp_path / "state")
        command = [sys.executable, "-m", "localcloud", "up", "--state", state, "--ready-file", str(ready)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        eventually(ready.exists, 30)
        return running[-1], json.loads(ready.read_text())["endpoint"]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_accepted_messages_and_objects_survive(start: Start) -> None:
    """After kill -9 with ten messages unanswered, all are pushed again, and the object is whole."""
    with receiving() as receiver:
        receiver.answers = [503] * 10
        process, endpoint = start()
        push = {"pushEndpoint": receiver.url}
        retry = {"minimumBackoff": "1s", "maximumBackoff": "1s"}
        subscription = {"topic": f"{P}/topics/kill", "pushConfig": push, "retryPolicy": retry}
        requests.put(f"{endpoint}/v1/{P}/topics/kill", json={}, timeout=10).raise_for_status()
        requests.put(
            f"{endpoint}/v1/{P}/subscriptions/kill", json=subscription, timeout=10
        ).raise_for_status()
        bucket = f"{endpoint}/storage/v1/b?project=demo-project"
        requests.post(bucket, json={"name": "killed"}, timeout=10).raise_for_status()
        upload = f"{endpoint}/upload/storage/v1/b/killed/o?uploadType=media&name=x"
        requests.post(upload, data=b"whole", timeout=10).raise_for_status()
        messages = {"messages": [{"data": "eA=="} for _ in range(10)]}
        ids = requests.post(f"{endpoint}/v1/{P}/topics/kill:publish", json=messages, timeout=10).json()
        eventually(lambda: len(receiver.requests) >= 5)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = len(receiver.requests)
        receiver.answers = []
        _, endpoint = start()
        wanted = set(ids["messageIds"])
        eventually(lambda: {m["messageId"] for m in receiver.messages()[before:]} == wanted, 20)
        content = requests.get(f"{endpoint}/storage/v1/b/killed/o/x?alt=media", timeout=10)
        assert content.content == b"whole"
