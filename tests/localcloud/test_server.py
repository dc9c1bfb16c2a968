"""The HTTP servers under pressure."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest
import requests

from localcloud.doors import DOORS
from localcloud.stand_in import build
from tests.localcloud.conftest import eventually

MANY = 600  # connections to each server: together more than select() can watch


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A stand-in as a process that was started with few open files allowed; its addresses."""
    file = tmp_path / "ready"
    state = str(tmp_path / "state")
    command = f"ulimit -Sn 256; exec {sys.executable} -m localcloud up --state {state} --ready-file {file}"
    process = subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.DEVNULL)
    try:
        eventually(file.exists, 30)
        yield json.loads(file.read_text())
    finally:
        process.terminate()
        process.wait(30)


def test_more_than_a_thousand_connections_are_answered(ready: dict[str, str]) -> None:
    """With 1,200 connections open, the APIs and the front door still answer on each of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * MANY)), hard))
    with ExitStack() as open_ones:
        for address in (ready["endpoint"], ready["front"]):
            place = (urlsplit(address).hostname, urlsplit(address).port)
            opened = [open_ones.enter_context(socket.create_connection(place, 10)) for _ in range(MANY)]
            for one in (opened[0], opened[-1]):
                one.sendall(b"GET /_control/health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert one.recv(9) == b"HTTP/1.1 "
        assert requests.get(f"{ready['endpoint']}/_control/health", timeout=10).ok


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_breaks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends by an error, which nobody stopped, is told at once to whoever started it."""

    def breaks() -> None:
        raise OSError("no more")

    server, _ = build(tmp_path)
    monkeypatch.setattr(server._front, "run", breaks)
    told = Event()
    server.start(told.set)
    try:
        assert told.wait(10)
        assert server.broken
    finally:
        server.stop()


def test_a_door_that_fails_is_an_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 in Google's shape; what went wrong is on standard error, and is told to no caller."""
    server, cloud = build(tmp_path)
    door = DOORS["storage.buckets.list"]
    monkeypatch.setitem(DOORS, door.method, replace(door, handler=lambda *_: {}["of the inside"]))
    server.start()
    try:
        answer = requests.get(f"{cloud.endpoint}/storage/v1/b?project=demo-project", timeout=10)
    finally:
        server.stop()
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "internal error")
    assert "KeyError: 'of the inside'" in capsys.readouterr().err
    assert "of the inside" not in answer.text
