"""Compute's official clients on a stand-in, and good requests to start from."""

from __future__ import annotations

from typing import Any

from google.cloud import compute_v1

from tests.localcloud.conftest import World
from tests.localcloud.deploying import account

PROJECT = "demo-project"
SPACE = "projects/confidential-space-images/global/images/family/confidential-space"


def client(world: World, kind: str, caller: str | None = None) -> Any:
    """`kind` is a client class of compute_v1, without "Client"."""
    return getattr(compute_v1, f"{kind}Client")(
        credentials=world.credentials(caller), client_options={"api_endpoint": world.cloud.endpoint}
    )


def wait(world: World, operation: Any, zone: str | None = "us-central1-a") -> Any:
    """The operation when it is done (the client's own `result()` would ask Google)."""
    if zone is None:
        request = {"project": PROJECT, "operation": operation.name}
        return client(world, "GlobalOperations").wait(request=request)
    return client(world, "ZoneOperations").wait(
        request={"project": PROJECT, "zone": zone, "operation": operation.name}
    )


def instance(world: World, name: str, /, **changes: Any) -> dict[str, Any]:
    """A confidential n2d that runs nothing; `changes` replace fields."""
    body: dict[str, Any] = {
        "name": name,
        "machine_type": "zones/us-central1-a/machineTypes/n2d-standard-2",
        "disks": [{"boot": True, "auto_delete": True, "initialize_params": {"source_image": SPACE}}],
        "network_interfaces": [{"network": "global/networks/default"}],
        "confidential_instance_config": {"confidential_instance_type": "SEV"},
        "scheduling": {
            "on_host_maintenance": "TERMINATE",
            "max_run_duration": {"seconds": 3600},
            "instance_termination_action": "DELETE",
        },
        "service_accounts": [{"email": account(world, "workload"), "scopes": []}],
        "labels": {"sample": name},
    }
    return {**body, **changes}


def gpu_template(world: World, **scheduling: Any) -> dict[str, Any]:
    """Template properties of a confidential a3 by flex-start."""
    body = instance(world, "unused")
    body.pop("name")
    return {
        **body,
        "machine_type": "a3-highgpu-1g",
        "disks": [{"boot": True, "initialize_params": {"source_image": SPACE, "disk_size_gb": 30}}],
        "confidential_instance_config": {"confidential_instance_type": "TDX"},
        "reservation_affinity": {"consume_reservation_type": "NO_RESERVATION"},
        "scheduling": {
            "provisioning_model": "FLEX_START",
            "on_host_maintenance": "TERMINATE",
            "instance_termination_action": "DELETE",
            "max_run_duration": {"seconds": 3600},
            **scheduling,
        },
    }


def insert(world: World, body: dict[str, Any], zone: str = "us-central1-a", **given: Any) -> Any:
    """instances.insert through the client."""
    request = {"project": PROJECT, "zone": zone, "instance_resource": body, **given}
    return client(world, "Instances").insert_unary(request=request)


def status(world: World, name: str, zone: str = "us-central1-a") -> str:
    """The instance's status."""
    return str(client(world, "Instances").get(project=PROJECT, zone=zone, instance=name).status)
