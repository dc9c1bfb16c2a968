"""Grants: permissions on one resource, with the reason; and the building blocks of the step table.

- Permissions are listed one by one on a named resource. No block changes IAM, opens a released key, or
  deletes state or evidence.
- Who creates records in state or evidence creates its own and no others, by the ending of their names:
  only verify_evidence gives a verdict, only start_vm says that a VM was made, only tear_down that it is gone.
- What machines write into the evidence bucket stands below `shown/`, where nothing is listed: there is no end
  to what a machine may put there, and so nothing of ours waits for it.
- A listing is checked against the bucket's own name, so it cannot be narrowed by prefix. Who may not
  list is told "forbidden" of an object that is not there: who must tell the difference may list.
- Compute's permissions hold in the whole project: the platform has no policy per machine that is not
  made yet. The same goes for starting workflows and making run buckets.
"""

from __future__ import annotations

import msgspec


class Grant(msgspec.Struct, frozen=True):
    """Permissions on one resource and the one-line reason for them.

    `on` is `project`, `dataset`, `bucket:WORD`, `bucket:sealed` (all run buckets, by name prefix),
    `ring:WORD`, `key:WORD`, `topic:WORD` or `account:WORD`. `prefix` narrows a bucket to objects whose
    names begin so, `endings` further to names that end in one of them.
    """

    on: str
    permissions: tuple[str, ...]
    reason: str
    prefix: str = ""
    endings: tuple[str, ...] = ()


def may_read(on: str, reason: str, prefix: str = "") -> Grant:
    """Read objects."""
    return Grant(on, ("storage.objects.get",), reason, prefix)


def may_list(on: str, reason: str) -> Grant:
    """List objects."""
    return Grant(on, ("storage.objects.list",), reason)


def may_create(on: str, reason: str, *endings: str, prefix: str = "runs/") -> Grant:
    """Create objects; without the right to delete, never over another."""
    return Grant(on, ("storage.objects.create",), reason, prefix, endings)


def may_keep_state(*endings: str) -> Grant:
    """Create one's own records of a run in the state bucket."""
    return may_create("bucket:state", "record what it decided", *endings)


def may_keep_evidence(reason: str, *endings: str) -> Grant:
    """Create one's own records of a run in the evidence bucket."""
    return may_create("bucket:evidence", reason, *endings)


def may_tell_of(*kinds: str) -> Grant:
    """Write to the ledger what one is about to make, what was made, and what the platform refused."""
    endings = [f".{kind}.{phase}.json" for kind in kinds for phase in ("intent", "made", "refused")]
    listed = [".instance.listed.json"] if "instance" in kinds else []
    return may_keep_evidence("write intent and outcome to the ledger", *endings, *listed)


def may_write_rows(reason: str) -> Grant:
    """Stream rows into the deployment's tables."""
    return Grant("dataset", ("bigquery.tables.updateData",), reason)


def may_disable_keys(reason: str) -> Grant:
    """Look at run keys' versions and disable them."""
    return Grant(
        "ring:release", ("cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeyVersions.update"), reason
    )


def may_ask_for_teardown() -> Grant:
    """Publish a teardown request."""
    return Grant("topic:teardown-requests", ("pubsub.topics.publish",), "ask for teardown")


def may_make_machines(reason: str, *more: str) -> Grant:
    """Make VMs with disks, labels, metadata and an account, and whatever `more` names."""
    common = (
        "compute.disks.create",
        "compute.instances.create",
        "compute.instances.setLabels",
        "compute.instances.setMetadata",
        "compute.instances.setServiceAccount",
        "compute.subnetworks.use",
        "compute.zoneOperations.get",
    )
    return Grant("project", tuple(sorted({*common, *more})), reason)


STATE_READ = may_read("bucket:state", "read the run's records", "runs/")
SEE_STATE = may_list("bucket:state", "tell a record that does not stand yet")
EVIDENCE_READ = may_read("bucket:evidence", "read the run's evidence, compare what it repeats", "runs/")
SHOWN_READ = may_read("bucket:evidence", "read what the run's machine showed", "shown/")
LEDGER_LIST = may_list("bucket:evidence", "read the run's ledger, tell a record that does not stand yet")
SEE_MACHINES = Grant(
    "project", ("compute.instances.get",), "see whether the VM lives, and tell a silent one from a slow one"
)
AS_WORKLOAD = Grant("account:workload", ("iam.serviceAccounts.actAs",), "the VM runs as the workload")
LIST_MACHINES = (
    "compute.instanceGroupManagers.list",
    "compute.instanceTemplates.list",
    "compute.instances.list",
    "compute.reservations.list",
)
REMOVE_MACHINES = Grant(
    "project",
    (
        "compute.instanceGroupManagers.delete",
        "compute.instanceGroupManagers.get",
        "compute.instanceGroupManagers.update",
        "compute.instanceGroups.delete",
        "compute.instanceTemplates.delete",
        "compute.instanceTemplates.get",
        "compute.instances.delete",
        "compute.instances.get",
        "compute.reservations.delete",
        "compute.reservations.get",
        *LIST_MACHINES,
    ),
    "remove the run's machines and see that they are gone",
)
REMOVE_SEALED = Grant(
    "bucket:sealed",
    ("storage.buckets.delete", "storage.buckets.get", "storage.objects.delete", "storage.objects.list"),
    "remove the sealed data",
)
REMOVE_CHECKPOINTS = (
    Grant("bucket:checkpoints", ("storage.objects.delete",), "remove checkpoints"),
    may_list("bucket:checkpoints", "see that the checkpoints are gone"),
)
SEAL = Grant(
    "bucket:sealed",
    ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"),
    "write the sealed parts and read them back; note how far it is, and forget that at the end",
)
DESTROY_KEYS = Grant(
    "ring:release",
    (
        "cloudkms.cryptoKeyVersions.destroy",
        "cloudkms.cryptoKeyVersions.list",
        "cloudkms.cryptoKeys.get",
    ),
    "destroy the run's key versions",
)
