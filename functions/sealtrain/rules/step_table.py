"""The one table of functions: what each is, what starts it, what it needs and may do.

Rules:
- It is the source of, or the check on: entry points, grants, the Terraform map,
  the workflow's calls, the README's list and the tests.
- A step's word is its file, its entry point, its Terraform key, its log prefix and its account.
- Permissions are listed one by one on a named resource, each with its reason; no function may
  change IAM, and nobody may delete state or evidence, which makes both write-once.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Grant(msgspec.Struct, frozen=True):
    """Permissions on one resource and the one-line reason for them.

    `on` is `project`, `dataset`, `bucket:WORD`, `bucket:sealed` (all run buckets, by name prefix),
    `ring:WORD`, `key:WORD`, `topic:WORD`, `account:WORD` or `repository`. `prefix` narrows a bucket to
    objects of that name prefix.
    """

    on: str
    permissions: tuple[str, ...]
    reason: str
    prefix: str = ""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One deployed function. `needs` names cloud objects; `event` is its canonical log event."""

    name: str
    kind: Literal["step", "listener"]
    trigger: str
    """`workflow`, `topic:WORD` or `bucket:inbox`."""
    event: str
    needs: tuple[str, ...]
    grants: tuple[Grant, ...]
    memory_mib: int = 256
    timeout_s: int = 60
    invokers: tuple[str, ...] = ("workflow",)
    """Words of the accounts that may call it."""


def _read(on: str, reason: str, prefix: str = "") -> Grant:
    return Grant(on, ("storage.objects.get",), reason, prefix)


def _list(on: str, reason: str) -> Grant:
    # A listing is checked against the bucket's own name, so it cannot be narrowed by prefix.
    return Grant(on, ("storage.objects.list",), reason)


def _create(on: str, reason: str, prefix: str = "runs/") -> Grant:
    return Grant(on, ("storage.objects.create",), reason, prefix)


_LEDGER = (
    _read("bucket:evidence", "compare a repeated ledger entry", "runs/"),
    _create("bucket:evidence", "write intent and outcome to the ledger"),
)
_STATE_READ = _read("bucket:state", "read the run's records", "runs/")
# Who may not list a bucket is answered 403, not 404, for a record that does not stand yet.
_SEE_STATE = _list("bucket:state", "tell a record that does not stand yet")
_STATE = (_STATE_READ, _create("bucket:state", "record what it decided"))
_SEE_MACHINES = (
    "compute.instanceGroupManagers.get",
    "compute.instances.get",
    "compute.reservations.get",
    "compute.zoneOperations.get",
)

STEPS: tuple[Function, ...] = (
    Function(
        name="admit_run",
        kind="step",
        trigger="workflow",
        event="run.admitted",
        needs=("storage", "state"),
        grants=(
            *_STATE,
            _SEE_STATE,
            _read("bucket:inbox", "read job.yaml and look at the data's first bytes"),
            _list("bucket:inbox", "freeze the list of the dataset's objects"),
            _create("bucket:inbox", "tell the owner why an upload was refused", "refused/"),
        ),
    ),
    Function(
        name="plan_capacity",
        kind="step",
        trigger="workflow",
        event="capacity.planned",
        needs=("state",),
        grants=_STATE,
    ),
    Function(
        name="create_key",
        kind="step",
        trigger="workflow",
        event="key.created",
        needs=("state", "kms", "ledger"),
        grants=(
            _STATE_READ,
            *_LEDGER,
            Grant(
                "ring:release",
                ("cloudkms.cryptoKeys.create", "cloudkms.cryptoKeys.get"),
                "make the run's wrapping key and compare an existing one",
            ),
        ),
    ),
    Function(
        name="create_bucket",
        kind="step",
        trigger="workflow",
        event="bucket.created",
        needs=("storage", "state", "ledger"),
        grants=(
            _STATE_READ,
            *_LEDGER,
            Grant(
                "bucket:sealed",
                ("storage.buckets.create", "storage.buckets.get"),
                "make the run's sealed bucket and compare an existing one",
            ),
        ),
    ),
    Function(
        name="seal_dataset",
        kind="step",
        trigger="workflow",
        event="dataset.sealed",
        needs=("storage", "state", "kms"),
        grants=(
            *_STATE,
            _SEE_STATE,
            _read("bucket:inbox", "read the dataset", "incoming/"),
            _create("bucket:sealed", "write the sealed parts", ""),
            Grant(
                "ring:release",
                ("cloudkms.cryptoKeyVersions.useToEncrypt",),
                "wrap the data key, bound to the order",
            ),
        ),
        memory_mib=512,
        timeout_s=540,
    ),
    Function(
        name="reserve_capacity",
        kind="step",
        trigger="workflow",
        event="capacity.reserved",
        needs=("state", "compute", "ledger"),
        grants=(
            _STATE_READ,
            *_LEDGER,
            Grant(
                "project",
                (
                    "compute.disks.create",
                    "compute.disks.setLabels",
                    "compute.globalOperations.get",
                    "compute.instanceGroupManagers.create",
                    "compute.instanceGroupManagers.get",
                    "compute.instanceGroupManagers.update",
                    "compute.instanceTemplates.create",
                    "compute.instanceTemplates.get",
                    "compute.instanceTemplates.useReadOnly",
                    "compute.instances.create",
                    "compute.instances.setLabels",
                    "compute.instances.setMetadata",
                    "compute.instances.setServiceAccount",
                    "compute.reservations.create",
                    "compute.reservations.get",
                    "compute.subnetworks.use",
                    "compute.zoneOperations.get",
                ),
                "make a reservation, or template, group and resize request, and look at them",
            ),
            Grant(
                "account:workload",
                ("iam.serviceAccounts.actAs",),
                "the template gives the VM the workload's account",
            ),
        ),
        memory_mib=512,
    ),
    Function(
        name="start_vm",
        kind="step",
        trigger="workflow",
        event="vm.started",
        needs=("state", "compute", "ledger"),
        grants=(
            _STATE_READ,
            *_LEDGER,
            _list("bucket:evidence", "see which attempts of the plan were begun"),
            Grant(
                "project",
                (
                    "compute.disks.create",
                    "compute.disks.setLabels",
                    "compute.instances.create",
                    "compute.instances.get",
                    "compute.instances.setLabels",
                    "compute.instances.setMetadata",
                    "compute.instances.setServiceAccount",
                    "compute.reservations.get",
                    "compute.subnetworks.use",
                    "compute.zoneOperations.get",
                ),
                "start the confidential VM and compare an existing one",
            ),
            Grant(
                "account:workload",
                ("iam.serviceAccounts.actAs",),
                "the VM runs as the workload's account",
            ),
        ),
        memory_mib=512,
    ),
    Function(
        name="verify_evidence",
        kind="step",
        trigger="workflow",
        event="evidence.verified",
        needs=("storage", "kms", "compute", "ledger"),
        grants=(
            _STATE_READ,
            *_LEDGER,
            _list("bucket:evidence", "read the ledger"),
            Grant("project", _SEE_MACHINES, "tell a silent VM from a slow one"),
            Grant(
                "ring:release",
                (
                    "cloudkms.cryptoKeyVersions.get",
                    "cloudkms.cryptoKeyVersions.list",
                    "cloudkms.cryptoKeyVersions.update",
                ),
                "disable the run's key when the evidence is refused",
            ),
        ),
        memory_mib=512,
    ),
    Function(
        name="submit_job",
        kind="step",
        trigger="workflow",
        event="job.submitted",
        needs=("storage", "state", "compute", "ledger"),
        grants=(
            *_STATE,
            _SEE_STATE,
            _read("bucket:evidence", "read verdict and receipt", "runs/"),
            _list("bucket:evidence", "find the run's VM in the ledger"),
            Grant("project", _SEE_MACHINES, "see whether the VM still lives"),
        ),
        memory_mib=512,
    ),
    Function(
        name="publish_model",
        kind="step",
        trigger="workflow",
        event="model.published",
        needs=("storage", "ledger"),
        grants=(
            _STATE_READ,
            _SEE_STATE,
            *_LEDGER,
            _list("bucket:evidence", "read the ledger"),
            _read("bucket:models", "check the model's objects against the receipt"),
            _list("bucket:models", "see that the receipt names every object"),
        ),
        timeout_s=540,
    ),
    Function(
        name="close_run",
        kind="step",
        trigger="workflow",
        event="run.closed",
        needs=("storage", "kms", "bigquery", "ledger"),
        grants=(
            _STATE_READ,
            _SEE_STATE,
            *_LEDGER,
            _list("bucket:evidence", "gather the run's records"),
            _read("bucket:inbox", "read the refusal of a run that was not admitted", "refused/"),
            _list("bucket:inbox", "tell that there is no refusal"),
            _read("bucket:models", "name the model in the bundle"),
            _list("bucket:models", "name the model's objects"),
            Grant(
                "key:bundle",
                (
                    "cloudkms.cryptoKeyVersions.list",
                    "cloudkms.cryptoKeyVersions.useToSign",
                    "cloudkms.cryptoKeyVersions.viewPublicKey",
                ),
                "sign the bundle",
            ),
            Grant(
                "dataset",
                ("bigquery.datasets.get", "bigquery.tables.get", "bigquery.tables.updateData"),
                "write the run's row",
            ),
        ),
        memory_mib=512,
        timeout_s=120,
    ),
)

LISTENERS: tuple[Function, ...] = (
    Function(
        name="start_run",
        kind="listener",
        trigger="bucket:inbox",
        event="run.started",
        needs=("executions",),
        grants=(Grant("project", ("workflows.executions.create",), "start the workflow of an upload"),),
        invokers=("push",),
    ),
    Function(
        name="record_completion",
        kind="listener",
        trigger="topic:job-events",
        event="completion.recorded",
        needs=("storage", "executions"),
        grants=(
            *_STATE,
            _SEE_STATE,
            _read("bucket:evidence", "see whether a receipt stands", "runs/"),
            Grant("project", ("workflows.callbacks.send",), "wake the waiting workflow"),
        ),
        invokers=("push",),
    ),
    Function(
        name="record_attestation",
        kind="listener",
        trigger="topic:attestation-logs",
        event="attestation.recorded",
        needs=("storage", "kms", "pubsub", "bigquery", "ledger"),
        grants=(
            _STATE_READ,
            _SEE_STATE,
            *_LEDGER,
            _list("bucket:evidence", "find the run of an entry"),
            Grant(
                "ring:release",
                (
                    "cloudkms.cryptoKeyVersions.get",
                    "cloudkms.cryptoKeyVersions.list",
                    "cloudkms.cryptoKeyVersions.update",
                ),
                "disable the run's key on a failed attestation",
            ),
            Grant("topic:teardown-requests", ("pubsub.topics.publish",), "ask for teardown"),
            Grant(
                "dataset",
                ("bigquery.datasets.get", "bigquery.tables.get", "bigquery.tables.updateData"),
                "write the entry's row",
            ),
        ),
        memory_mib=512,
        invokers=("push",),
    ),
    Function(
        name="report_compliance",
        kind="listener",
        trigger="topic:report-requests",
        event="report.written",
        needs=("storage", "bigquery"),
        grants=(
            _read("bucket:evidence", "read the runs' records", "runs/"),
            _list("bucket:evidence", "find the period's runs"),
            _create("bucket:evidence", "write the report", "reports/"),
            _read("bucket:evidence", "compare a repeated report", "reports/"),
            Grant("project", ("bigquery.jobs.create",), "run the report's query"),
            Grant(
                "dataset",
                ("bigquery.datasets.get", "bigquery.tables.get", "bigquery.tables.getData"),
                "read the rows",
            ),
        ),
        memory_mib=512,
        timeout_s=300,
        invokers=("push",),
    ),
    Function(
        name="tear_down",
        kind="listener",
        trigger="topic:teardown-requests",
        event="run.torn_down",
        needs=("storage", "kms", "compute", "ledger"),
        grants=(
            *_STATE,
            _SEE_STATE,
            *_LEDGER,
            _list("bucket:evidence", "read the ledger"),
            Grant(
                "bucket:sealed",
                (
                    "storage.buckets.delete",
                    "storage.buckets.get",
                    "storage.objects.delete",
                    "storage.objects.list",
                ),
                "remove the sealed data",
            ),
            Grant(
                "ring:release",
                (
                    "cloudkms.cryptoKeyVersions.destroy",
                    "cloudkms.cryptoKeyVersions.get",
                    "cloudkms.cryptoKeyVersions.list",
                    "cloudkms.cryptoKeys.get",
                ),
                "destroy the run's key versions",
            ),
            Grant(
                "project",
                (
                    "compute.globalOperations.get",
                    "compute.instanceGroupManagers.delete",
                    "compute.instanceGroupManagers.get",
                    "compute.instanceGroupManagers.list",
                    "compute.instanceGroupManagers.update",
                    "compute.instanceGroups.delete",
                    "compute.instanceTemplates.delete",
                    "compute.instanceTemplates.get",
                    "compute.instanceTemplates.list",
                    "compute.instances.delete",
                    "compute.instances.get",
                    "compute.instances.list",
                    "compute.reservations.delete",
                    "compute.reservations.get",
                    "compute.reservations.list",
                    "compute.zoneOperations.get",
                    "storage.buckets.list",
                ),
                "remove the run's machines and see that they are gone",
            ),
        ),
        memory_mib=512,
        timeout_s=540,
        invokers=("push", "workflow"),
    ),
    Function(
        name="sweep",
        kind="listener",
        trigger="topic:sweep-requests",
        event="runs.swept",
        needs=("storage", "kms", "compute", "pubsub", "ledger"),
        grants=(
            _STATE_READ,
            _list("bucket:state", "find the runs"),
            _read("bucket:evidence", "read ledgers and closings", "runs/"),
            _list("bucket:evidence", "find ledgers and closings"),
            Grant(
                "project",
                (
                    "compute.instanceGroupManagers.list",
                    "compute.instanceTemplates.list",
                    "compute.instances.list",
                    "compute.reservations.list",
                    "storage.buckets.list",
                ),
                "find what outlived its run",
            ),
            Grant(
                "ring:release",
                ("cloudkms.cryptoKeys.list", "cloudkms.cryptoKeyVersions.list"),
                "find keys that outlived their run",
            ),
            Grant("topic:teardown-requests", ("pubsub.topics.publish",), "ask for teardown"),
        ),
        memory_mib=512,
        timeout_s=300,
        invokers=("push",),
    ),
)

FUNCTIONS: tuple[Function, ...] = (*STEPS, *LISTENERS)


def function(name: str) -> Function:
    """The row of a function; KeyError for a word that is none."""
    return {row.name: row for row in FUNCTIONS}[name]
