"""Launching a workload on a virtual machine of a stand-in, and looking at what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import PARENT, account
from tests.localcloud.machine.images import layer_of, push_image
from tests.localcloud.machine.instances import PROJECT, client, insert, instance, status, wait

# Asks the launcher for what its arguments say, writes the answers to a file.
ASK = """
import http.client, json, os, pathlib, socket, sys

class Launcher(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["LAUNCHER"])

def ask(body):
    launcher = Launcher("localhost")
    launcher.request("POST", "/v1/token", json.dumps(body))
    answer = launcher.getresponse()
    return [answer.status, answer.read().decode()]

target, *bodies = sys.argv[1:]
print("asking")
told = {"answers": [ask(json.loads(body)) for body in bodies], "env": dict(os.environ), "argv": sys.argv}
pathlib.Path(target).write_text(json.dumps(told))
"""
ROLES = (
    "roles/logging.logWriter",
    "roles/confidentialcomputing.workloadUser",
    "roles/artifactregistry.reader",
)


def prepare(world: World) -> None:
    """A repository, and an account for workloads with the roles that the launcher needs."""
    world.cloud.machine_env = {"LAUNCHER": "{socket}", "ENDPOINT": "{endpoint}"}
    repositories = world.api("artifactregistry", "v1").projects().locations().repositories()
    body = {"format": "DOCKER"}
    repositories.create(parent=PARENT, repositoryId="images", body=body).execute()
    account(world, "workload")
    for role in ROLES:
        world.grant(f"projects/{PROJECT}", role, world.member("workload"))


def image_of(world: World, script: str, name: str = "tester", **given: Any) -> str:
    """Push an image that runs `script`; its reference by digest."""
    layer = layer_of({"app/main.py": script})
    digest = push_image(world.cloud.endpoint, f"{PROJECT}/images/{name}", layer, **given)
    return f"us-central1-docker.pkg.dev/{PROJECT}/images/{name}@{digest}"


def launch(world: World, name: str, reference: str, args: list[str] | None = None, **changes: Any) -> None:
    """Start an instance whose metadata names the image; `metadata` replaces keys, None drops one."""
    given: dict[str, str | None] = {
        "tee-image-reference": reference,
        "tee-cmd": json.dumps(args or []),
        "tee-container-log-redirect": "true",
        **changes.pop("metadata", {}),
    }
    items = [{"key": key, "value": value} for key, value in given.items() if value is not None]
    wait(world, insert(world, instance(world, name, metadata={"items": items}, **changes)))


def ended(world: World, name: str) -> str:
    """Wait until the machine has ended by itself; its console."""
    eventually(lambda: status(world, name) == "TERMINATED", 20)
    return console(world, name)


def console(world: World, name: str) -> str:
    """What the machine wrote to its console so far."""
    where = {"project": PROJECT, "zone": "us-central1-a", "instance": name}
    return str(client(world, "Instances").get_serial_port_output(**where).contents)


def told(file: Path) -> dict[str, Any]:
    """What the workload wrote."""
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def logged(world: World, expression: str) -> list[dict[str, Any]]:
    """Log entries that match, oldest first."""
    body = {"resourceNames": [f"projects/{PROJECT}"], "filter": expression, "orderBy": "timestamp asc"}
    answer = world.api("logging", "v2").entries().list(body=body).execute()
    found: list[dict[str, Any]] = answer.get("entries", [])
    return found
