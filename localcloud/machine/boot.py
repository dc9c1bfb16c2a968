"""Turning on a machine: a process of its own, which is told who it is and given its hardware's key.

The key (ECDSA P-256) is made here, as hardware is made by its maker: the attestation service knows the public
half; the private half goes to the machine's process through its standard input and is written nowhere.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localcloud.machine import processes
from localcloud.machine.catalog import SHAPES, find_image
from localcloud.machine.rules import confidential_type
from localcloud.world.cloud import Cloud, on_start

PREFIX = "machine/"
ENDPOINT_FILE = "endpoint"


def folder_of(cloud: Cloud, instance_id: str) -> Path:
    """Where a machine keeps its console output and its disk."""
    return cloud.root / "machines" / instance_id


@on_start
def write_endpoint(cloud: Cloud) -> None:
    """Machines outlive a restart of the stand-in: here they find its new address."""
    draft = cloud.root / f"{ENDPOINT_FILE}.draft"
    draft.write_text(cloud.endpoint)
    draft.replace(cloud.root / ENDPOINT_FILE)


def start_machine(cloud: Cloud, name: str, instance: dict[str, Any]) -> None:
    """Start the process of `instance`, unless it was started before."""
    process_name = PREFIX + instance["id"]
    if cloud.store.get(processes.KIND, process_name) is not None:
        return
    folder = folder_of(cloud, instance["id"])
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    cloud.store.put("machine.key", instance["id"], {"instance": name, "public_key": public.decode()})
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with (folder / "serial.txt").open("ab") as console:
        processes.start(
            cloud,
            process_name,
            [sys.executable, "-m", "localcloud.machine"],
            env=_environment(),
            cwd=folder,
            given=json.dumps(_told(cloud, name, instance, private.decode())).encode(),
            output=console,
            facts={"instance": name},
        )


def _environment() -> dict[str, str]:
    package_root = str(Path(__file__).resolve().parents[2])
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": package_root,
        "TMPDIR": tempfile.gettempdir(),
        "PYTHONUNBUFFERED": "1",
    }


def _told(cloud: Cloud, name: str, instance: dict[str, Any], key: str) -> dict[str, Any]:
    shape = SHAPES[instance["machineType"].rpartition("/")[2]]
    image = find_image(instance["_image"])
    accounts = instance.get("serviceAccounts", [])
    items = instance["metadata"].get("items", [])
    return {
        "instance_id": instance["id"],
        "name": name,
        "project": cloud.project,
        "number": cloud.number,
        "region": cloud.region,
        "service_account": accounts[0]["email"] if accounts else "",
        "attributes": {item["key"]: str(item.get("value", "")) for item in items},
        "confidential_type": confidential_type(instance),
        "confidential_space": image.confidential_space if image else "",
        "machine_type": shape.name,
        "gpu": shape.accelerator[0] if shape.accelerator else "",
        "hardware_key": key,
        "endpoint_file": str(cloud.root / ENDPOINT_FILE),
        "environment": _workload_environment(cloud),
    }


def _workload_environment(cloud: Cloud) -> dict[str, str]:
    file = cloud.root / "machine-env.json"
    given: dict[str, str] = json.loads(file.read_bytes()) if file.exists() else {}
    return {**cloud.machine_env, **given}
