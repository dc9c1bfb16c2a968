"""The run's machine as the API takes it: VM, template, group, resize request, reservation.

Rules:
- VM and template come from one spec, so that what a reservation or request promised is what starts.
- The server holds the last brake: `maxRunDuration` with DELETE on every VM, `deleteAfterDuration` on a
  reservation, and a group that does not repair.
- No external address, no restart, secure boot, CMEK disk, production Confidential Space image.
- The workload learns its order by address and digest, in metadata that the token attests.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sealtrain.rules import names
from sealtrain.rules.capacity import Attempt
from sealtrain.rules.errors import ConflictError
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.resources import Resource
from sealtrain.rules.settings import Settings
from sealtrain.rules.shapes import SHAPES

BOOT_IMAGE = "projects/confidential-space-images/global/images/family/confidential-space"
RESERVATION_KEY = "compute.googleapis.com/reservation-name"
RESERVATION_SLACK_S = 900
"""What a reservation outlives its VM at most, should nobody delete it."""
# What the platform changes by itself: a reservation's end becomes a time, a request fills its group.
_MOVES = frozenset({"deleteAfterDuration", "targetSize"})
_MODELS = {"flex-start": "FLEX_START", "spot": "SPOT"}
"""How Google calls a mode; any other is STANDARD."""
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def request_id(name: str) -> str:
    """A UUID derived from a full name: a create repeated is the same create to the API."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def metadata(settings: Settings, frozen: FrozenJob, order_digest: str) -> dict[str, str]:
    """What Confidential Space reads at boot."""
    order = names.gs(names.state_bucket(settings), names.order(frozen.run))
    items = {
        "tee-image-reference": frozen.image,
        "tee-cmd": json.dumps(["--order", order, "--order-digest", order_digest]),
        "tee-restart-policy": "Never",
        "tee-container-log-redirect": "serial",
    }
    if SHAPES[frozen.job.machine.shape].gpu:
        items["tee-install-gpu-driver"] = "true"
    return items


def instance(settings: Settings, frozen: FrozenJob, attempt: Attempt, order_digest: str) -> dict[str, Any]:
    """The VM's body."""
    at = f"zones/{attempt.zone}"
    body = _properties(settings, frozen, attempt, order_digest)
    body["name"] = names.machine(settings, frozen.run)
    body["machineType"] = f"{at}/machineTypes/{attempt.shape}"
    body["disks"][0]["initializeParams"]["diskType"] = f"{at}/diskTypes/pd-balanced"
    return body


def template(settings: Settings, frozen: FrozenJob, attempt: Attempt, order_digest: str) -> dict[str, Any]:
    """The instance template's body."""
    return {
        "name": names.machine(settings, frozen.run),
        "properties": _properties(settings, frozen, attempt, order_digest),
    }


def group(settings: Settings, run: str) -> dict[str, Any]:
    """The managed group's body: empty, and it leaves a dead VM dead."""
    name = names.machine(settings, run)
    return {
        "name": name,
        "baseInstanceName": name,
        "instanceTemplate": names.template(settings, run),
        "targetSize": 0,
        "instanceLifecyclePolicy": {"defaultActionOnFailure": "DO_NOTHING"},
    }


def resize_request(settings: Settings, frozen: FrozenJob) -> dict[str, Any]:
    """The flex-start request's body: one VM, by name."""
    name = names.machine(settings, frozen.run)
    return {
        "name": name,
        "instances": [{"name": name}],
        "requestedRunDuration": {"seconds": str(frozen.job.limits.seconds)},
    }


def reservation(settings: Settings, frozen: FrozenJob, attempt: Attempt) -> dict[str, Any]:
    """The reservation's body: one machine, only for who names it."""
    properties = {"machineType": attempt.shape}
    if platform := SHAPES[attempt.shape].min_cpu_platform:
        properties["minCpuPlatform"] = platform
    lasts = frozen.job.limits.seconds + RESERVATION_SLACK_S
    return {
        "name": names.machine(settings, frozen.run),
        "specificReservationRequired": True,
        "specificReservation": {"count": "1", "instanceProperties": properties},
        "deleteAfterDuration": {"seconds": str(lasts)},
    }


def disk_key(found: Resource) -> str:
    """The key version or key that a VM's boot disk says it is encrypted with; empty for none."""
    disks = found.body.get("disks") or [{}]
    return str(disks[0].get("diskEncryptionKey", {}).get("kmsKeyName", ""))


def end_of(found: Resource, now: datetime, patience_s: int) -> str:
    """Why a VM counts as ended; empty while it runs, or ended less than `patience_s` ago."""
    if found.status not in {"STOPPED", "SUSPENDED", "TERMINATED"}:
        return ""
    stopped = found.body.get("lastStopTimestamp", "")
    if stopped and (now - datetime.fromisoformat(stopped)).total_seconds() < patience_s:
        return ""
    return f"the VM is {found.status} and left no word"


def check_same(found: Resource, body: dict[str, Any]) -> None:
    """Raise ConflictError when a resource of our name differs from what this run would have made.

    Compared is what the body says, leaf by leaf; the platform may add, and spell addresses in full.
    """
    wanted = {key: value for key, value in body.items() if key not in _MOVES}
    for field, got, expected in _differences(found.body, wanted, found.name):
        raise ConflictError(
            "a resource of this run's name exists and is another one",
            field=field,
            got=got,
            expected=expected,
            remedy="tear the run down and start another attempt",
        )


def check_same_instance(found: Resource, settings: Settings, frozen: FrozenJob, order_digest: str) -> None:
    """Raise ConflictError when a VM of our name is not the one this run would have made."""
    items = {i["key"]: i.get("value", "") for i in found.body.get("metadata", {}).get("items", [])}
    wanted = metadata(settings, frozen, order_digest)
    accounts = [a.get("email", "") for a in found.body.get("serviceAccounts", [])]
    confidential = found.body.get("confidentialInstanceConfig", {})
    model = found.body.get("scheduling", {}).get("provisioningModel")
    shape, mode = SHAPES[frozen.job.machine.shape], frozen.job.machine.mode
    checks: tuple[tuple[str, object, object], ...] = (
        *((f"metadata.{key}", items.get(key), value) for key, value in wanted.items()),
        ("labels.sealtrain-run", found.labels.get("sealtrain-run"), frozen.run),
        ("serviceAccounts", accounts, [names.service_account(settings, "workload")]),
        ("machineType", found.body.get("machineType", "").rpartition("/")[2], shape.name),
        ("confidentialInstanceType", confidential.get("confidentialInstanceType"), shape.technology),
        ("scheduling.provisioningModel", model, _MODELS.get(mode, "STANDARD")),
    )
    for field, got, expected in checks:
        if got != expected:
            raise ConflictError(
                "a VM of this run's name exists and is another one",
                field=f"{found.name}.{field}",
                got=got,
                expected=expected,
                remedy="tear the run down and start another attempt",
            )


def _differences(got: Any, wanted: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(wanted, dict):
        found = got if isinstance(got, dict) else {}
        for key, value in wanted.items():
            yield from _differences(found.get(key), value, f"{path}.{key}")
    elif isinstance(wanted, list):
        found_list = got if isinstance(got, list) else []
        if len(found_list) != len(wanted):
            yield path, got, wanted
        for number, (one, other) in enumerate(zip(found_list, wanted, strict=False)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif isinstance(wanted, str) and isinstance(got, str):
        if got != wanted and not got.endswith("/" + wanted):
            yield path, got, wanted
    # What is zero or false is left out of an answer.
    elif (got or 0) != (wanted or 0):
        yield path, got, wanted


def _properties(settings: Settings, frozen: FrozenJob, attempt: Attempt, order_digest: str) -> dict[str, Any]:
    shape = SHAPES[attempt.shape]
    body: dict[str, Any] = {
        "machineType": shape.name,
        "labels": names.labels(settings, frozen.run, frozen.expires),
        "confidentialInstanceConfig": {"confidentialInstanceType": attempt.technology},
        "shieldedInstanceConfig": {
            "enableSecureBoot": True,
            "enableVtpm": True,
            "enableIntegrityMonitoring": True,
        },
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    "sourceImage": BOOT_IMAGE,
                    "diskSizeGb": str(shape.boot_disk_gib),
                    "diskType": "pd-balanced",
                },
                "diskEncryptionKey": {"kmsKeyName": names.storage_key(settings)},
            }
        ],
        "networkInterfaces": [{"subnetwork": names.subnetwork(settings), "nicType": "GVNIC"}],
        "serviceAccounts": [{"email": names.service_account(settings, "workload"), "scopes": [_SCOPE]}],
        "metadata": {
            "items": [
                {"key": key, "value": value}
                for key, value in metadata(settings, frozen, order_digest).items()
            ]
        },
        "scheduling": _scheduling(attempt, frozen.job.limits.seconds),
        "reservationAffinity": _affinity(settings, frozen.run, attempt),
    }
    if shape.min_cpu_platform:
        body["minCpuPlatform"] = shape.min_cpu_platform
    return body


def _scheduling(attempt: Attempt, seconds: int) -> dict[str, Any]:
    return {
        "provisioningModel": _MODELS.get(attempt.mode, "STANDARD"),
        "maxRunDuration": {"seconds": str(seconds)},
        "instanceTerminationAction": "DELETE",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
    }


def _affinity(settings: Settings, run: str, attempt: Attempt) -> dict[str, Any]:
    if attempt.mode != "reservation":
        return {"consumeReservationType": "NO_RESERVATION"}
    return {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": RESERVATION_KEY,
        "values": [names.machine(settings, run)],
    }
