"""What a caller needs for a machine besides the method's own permission: one for each optional field it sets.

Source: the method pages of instances.insert and instanceGroupManagers.insert ("IAM permissions").
"""

from __future__ import annotations

from collections.abc import Iterator

from localcloud.doors import Call, Json, require
from localcloud.doors.errors import invalid
from localcloud.doors.iam_accounts import act_as
from localcloud.doors.kms_use import check_grant
from localcloud.machine.catalog import ZONES
from localcloud.world.cloud import Cloud


def require_for(cloud: Cloud, call: Call, machine: Json) -> None:
    """403 unless the caller may set every field of `machine` (of an instance, or of a template for some)."""
    for permission in needed(machine):
        require(cloud, call, permission, f"projects/{cloud.project}")
    act_as_its_account(cloud, call, machine)


def needed(machine: Json) -> Iterator[str]:
    """The permissions in the project."""
    made = [disk["initializeParams"] for disk in machine.get("disks", []) if disk.get("initializeParams")]
    if made:
        yield "compute.disks.create"
    if any(disk.get("labels") for disk in made):
        yield "compute.disks.setLabels"
    for field, permission in (
        ("labels", "setLabels"),
        ("metadata", "setMetadata"),
        ("serviceAccounts", "setServiceAccount"),
        ("tags", "setTags"),
    ):
        if machine.get(field):
            yield f"compute.instances.{permission}"
    yield "compute.subnetworks.use"
    if any(nic.get("accessConfigs") for nic in machine.get("networkInterfaces", [])):
        yield "compute.subnetworks.useExternalIp"


def act_as_its_account(cloud: Cloud, call: Call, machine: Json) -> None:
    """Refuse unless the caller may attach the machine's account."""
    accounts = machine.get("serviceAccounts", [])
    if len(accounts) > 1:
        raise invalid(
            f"Invalid value for field 'serviceAccounts': got {len(accounts)}, expected one at most."
        )
    for account in accounts:
        act_as(cloud, call, account.get("email", ""))


def check_disk_keys(cloud: Cloud, zone: str, machine: Json) -> None:
    """403 or 400 unless Compute's agent may use each disk's key, and the key lies in the zone's region."""
    agent = f"service-{cloud.number}@compute-system.iam.gserviceaccount.com"
    for disk in machine.get("disks", []):
        key = (disk.get("diskEncryptionKey") or {}).get("kmsKeyName")
        if key:
            check_grant(cloud, key, agent, ZONES[zone], "Compute Engine")
