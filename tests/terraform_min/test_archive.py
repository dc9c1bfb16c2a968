"""The functions' archive: the same bytes from two clones, and it serves from nothing but its requirements."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import requests
from sealtrain.edge import LARGEST_REQUEST_BYTES
from sealtrain.rules import step_table

from tests.terraform_min.offline.terraform import ROOT

BOUND_S = 600
STARTED_S = 60.0
ENVIRONMENT = {
    "SEALTRAIN_PROJECT": "demo-project",
    "SEALTRAIN_PROJECT_NUMBER": "100000000001",
    "SEALTRAIN_REGION": "us-central1",
    "SEALTRAIN_ENDPOINT": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The archive as two clones make it."""
    made = []
    for name in ("one", "another/deeper"):
        clone = tmp_path_factory.mktemp("clone") / name
        clone.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True, timeout=BOUND_S
        )
        target = clone / "functions.zip"
        subprocess.run(
            [sys.executable, "-m", "cli.package", "-o", target],
            cwd=clone,
            env={**os.environ, "PYTHONPATH": f"{clone}{os.pathsep}{clone / 'functions'}"},
            check=True,
            timeout=BOUND_S,
        )
        made.append(target)
    return made


@pytest.fixture(scope="module")
def unpacked(archives: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The archive's files, and an environment with only its requirements."""
    folder = tmp_path_factory.mktemp("deployed")
    with zipfile.ZipFile(archives[0]) as archive:
        archive.extractall(folder / "source")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, timeout=BOUND_S)
    install = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "-r", folder / "source" / "requirements.txt"], check=True, timeout=BOUND_S)
    return folder / "source", environment / "bin"


def test_two_clones_make_the_same_bytes(archives: list[Path]) -> None:
    """Whoever checks out this commit can tell what runs."""
    assert archives[0].read_bytes() == archives[1].read_bytes()


@pytest.mark.parametrize("function", step_table.FUNCTIONS, ids=lambda row: row.name)
def test_an_entry_point_serves_with_only_its_requirements(
    function: step_table.Function, unpacked: tuple[Path, Path]
) -> None:
    """The framework starts it from the archive's root; an endless request is refused in our words."""
    source, programs = unpacked
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    signature = "http" if function.kind == "step" else "cloudevent"
    log = source / f"{function.name}.log"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [
                *(programs / "functions-framework", "--target", function.name),
                *("--signature-type", signature, "--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=source,
            env={"PATH": os.environ["PATH"], **ENVIRONMENT},
            stdout=said,
            stderr=said,
        )
        try:
            status = _asked(port, function.kind == "listener", server)
        finally:
            server.terminate()
            server.wait(timeout=30)
    assert status in ((400,) if function.kind == "step" else (200, 204)), log.read_text()
    assert function.name in log.read_text()


def _asked(port: int, as_event: bool, server: subprocess.Popen[bytes]) -> int:
    """The status of one request, once the server answers at all."""
    event = {
        "ce-id": "1",
        "ce-source": "//test",
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
    }
    deadline = time.monotonic() + STARTED_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            answer = requests.post(
                f"http://127.0.0.1:{port}/",
                data=json.dumps({"what": "nothing" * LARGEST_REQUEST_BYTES}),
                headers={"content-type": "application/json"} | (event if as_event else {}),
                timeout=STARTED_S,
            )
            return answer.status_code
        except requests.ConnectionError:
            time.sleep(0.1)
    return 0
