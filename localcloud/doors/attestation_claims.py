"""The claims of an attestation token, as Confidential Space's carry them.

Source: Google's page "Attestation token claims".
"""

from __future__ import annotations

from typing import Any

from localcloud.doors import Json
from localcloud.doors.compute_names import last, link
from localcloud.machine.catalog import SHAPES, Image
from localcloud.machine.rules import confidential_type
from localcloud.world.cloud import Cloud

ISSUER = "https://confidentialcomputing.googleapis.com"
LIFETIME_S = 3600
_PROFILE = "https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims"
_MODELS = {"SEV": "GCP_AMD_SEV", "TDX": "GCP_INTEL_TDX"}
_GOOGLE_OEM = 11129


def claims_of(
    cloud: Cloud, name: str, instance: Json, image: Image, events: Json, accounts: list[str]
) -> dict[str, Any]:
    """All claims but audience and nonce. `name` is the instance's full name, `events` what was launched."""
    now = int(cloud.clock.now())
    kind, debug = confidential_type(instance), image.confidential_space == "debug"
    space: dict[str, Any] = {"monitoring_enabled": {"memory": False}}
    if not debug:
        space["support_attributes"] = ["LATEST", "STABLE", "USABLE"]
    submods: dict[str, Any] = {
        "confidential_space": space,
        "container": _container(events),
        "gce": {
            "project_id": cloud.project,
            "project_number": cloud.number,
            "zone": last(instance["zone"]),
            "instance_id": instance["id"],
            "instance_name": instance["name"],
        },
    }
    gpu = _gpu(instance)
    if gpu:
        submods["nvidia_gpu"] = gpu
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": link(name),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_S,
        "eat_profile": _PROFILE,
        "secboot": True,
        "oemid": _GOOGLE_OEM,
        "hwmodel": _MODELS[kind],
        "swname": "CONFIDENTIAL_SPACE",
        "swversion": [image.version],
        "dbgstat": "enabled" if debug else "disabled-since-boot",
        "google_service_accounts": accounts,
        "submods": submods,
    }
    if kind == "TDX":
        claims["attester_tcb"] = ["INTEL"]
    return claims


def _container(events: Json) -> dict[str, Any]:
    container: dict[str, Any] = {
        key: events[key]
        for key in ("image_reference", "image_digest", "image_id", "restart_policy", "args", "env")
    }
    for key in ("cmd_override", "env_override"):
        if events[key]:
            container[key] = events[key]
    return container


def _gpu(instance: Json) -> dict[str, Any] | None:
    items = {item["key"]: item.get("value") for item in instance["metadata"].get("items", [])}
    shape = SHAPES[last(instance["machineType"])]
    if not shape.accelerator or items.get("tee-install-gpu-driver") != "true":
        return None
    device = {
        "hwmodel": "GCP_NVIDIA_H100",
        "driver_version": "SIMULATED",
        "vbios_version": "SIMULATED",
        "ueid": f"SIMULATED-{instance['id']}",
    }
    return {"cc_mode": "ON", "cc_feature": "SPT", "gpus": [device]}
