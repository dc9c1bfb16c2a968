"""The one table of functions: what each is, what starts it, what it needs and may do.

Rules:
- It is the source of, or the check on: entry points, grants, the Terraform map, the workflow's
  calls, the README's list and the tests.
- A step's word is its file, its entry point, its Terraform key, its log prefix and its account.
- Who needs a cloud object has the grants for it, and nobody has a grant that it does not need.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealtrain.rules import budget, names
from sealtrain.rules.grants import (
    AS_WORKLOAD,
    DESTROY_KEYS,
    EVIDENCE_READ,
    LEDGER_LIST,
    LIST_MACHINES,
    REMOVE_CHECKPOINTS,
    REMOVE_MACHINES,
    REMOVE_SEALED,
    SEAL,
    SEE_MACHINES,
    SEE_STATE,
    SHOWN_READ,
    STATE_READ,
    Grant,
    may_ask_for_teardown,
    may_create,
    may_disable_keys,
    may_keep_evidence,
    may_keep_state,
    may_list,
    may_make_machines,
    may_read,
    may_tell_of,
    may_write_rows,
)

__all__ = ["FUNCTIONS", "LISTENERS", "STEPS", "Function", "Grant", "function"]


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One deployed function. `needs` names cloud objects; `event` is its canonical log event."""

    name: str
    kind: Literal["step", "listener"]
    trigger: str
    """`workflow`, `topic:WORD` or `bucket:inbox`."""
    event: str
    needs: tuple[str, ...]
    grants: tuple[Grant, ...]
    memory_mib: int
    timeout_s: int
    invokers: tuple[str, ...]
    """Words of the accounts that may call it."""


def _step(
    name: str, event: str, needs: str, *grants: Grant, timeout_s: int = 60, memory_mib: int = 0
) -> Function:
    return Function(
        name=name,
        kind="step",
        trigger="workflow",
        event=event,
        needs=tuple(needs.split()),
        grants=grants,
        memory_mib=memory_mib or _memory_mib(needs),
        timeout_s=timeout_s,
        invokers=("workflow",),
    )


def _listener(
    name: str,
    trigger: str,
    event: str,
    needs: str,
    *grants: Grant,
    timeout_s: int = 60,
    workflow: bool = False,
) -> Function:
    return Function(
        name=name,
        kind="listener",
        trigger=trigger,
        event=event,
        needs=tuple(needs.split()),
        grants=grants,
        memory_mib=_memory_mib(needs),
        timeout_s=timeout_s,
        invokers=("push", "workflow") if workflow else ("push",),
    )


def _memory_mib(needs: str) -> int:
    """Room for the clients' libraries: Compute's alone takes about 150 MiB."""
    return 512 if "compute" in needs or len(needs.split()) > 3 else 256


STEPS: tuple[Function, ...] = (
    _step(
        "admit_run",
        "run.admitted",
        "storage state",
        STATE_READ,
        SEE_STATE,
        may_keep_state("/claim.json", "/job.json"),
        may_read("bucket:state", "see whether the budget is spent", budget.PREFIX),
        may_read("bucket:inbox", "read job.yaml and look at the data's first bytes"),
        may_list("bucket:inbox", "freeze the list of the dataset's objects"),
        may_create("bucket:inbox", "tell the owner why an upload was refused", prefix="refused/"),
    ),
    _step("plan_capacity", "capacity.planned", "state", STATE_READ, may_keep_state("/plan.json")),
    _step(
        "create_key",
        "key.created",
        "state kms ledger",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        may_tell_of("key"),
        Grant(
            "ring:release",
            ("cloudkms.cryptoKeys.create", "cloudkms.cryptoKeys.get"),
            "make the run's wrapping key and compare an existing one",
        ),
    ),
    _step(
        "create_bucket",
        "bucket.created",
        "storage state ledger",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        may_tell_of("bucket"),
        Grant(
            "bucket:sealed",
            ("storage.buckets.create", "storage.buckets.get"),
            "make the run's sealed bucket and compare an existing one",
        ),
    ),
    _step(
        "seal_dataset",
        "dataset.sealed",
        "storage state kms",
        STATE_READ,
        SEE_STATE,
        may_keep_state("/places.json", "/order.json", ".held.json"),
        may_read("bucket:inbox", "read the dataset", "incoming/"),
        may_list("bucket:inbox", "tell that the upload was replaced or removed"),
        Grant(
            "bucket:inbox",
            ("storage.objects.delete",),
            "remove the source, if the job says so, once its sealed copy was compared",
            "incoming/",
        ),
        SEAL,
        may_read("bucket:checkpoints", "find the checkpoint of an earlier attempt"),
        may_list("bucket:checkpoints", "tell that there is no checkpoint"),
        may_read("bucket:evidence", "see that an earlier attempt's machine was trusted", "runs/"),
        may_read("bucket:evidence", "read that machine's key", "shown/"),
        may_list("bucket:evidence", "see that nothing speaks against that machine"),
        Grant(
            "ring:release",
            ("cloudkms.cryptoKeyVersions.useToEncrypt",),
            "wrap the data key, bound to the order",
        ),
        Grant(
            "key:sealing",
            ("cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeyVersions.useToEncrypt"),
            "keep the data key from one call to the next while a large dataset is being sealed",
        ),
        timeout_s=540,
        memory_mib=1024,
    ),
    _step(
        "reserve_capacity",
        "capacity.reserved",
        "state compute ledger",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        LEDGER_LIST,
        may_tell_of("reservation", "template", "group", "request"),
        may_make_machines(
            "make a reservation, or template, group and resize request, and look at them",
            "compute.globalOperations.get",
            "compute.instanceGroupManagers.create",
            "compute.instanceGroupManagers.get",
            "compute.instanceGroupManagers.update",
            "compute.instanceTemplates.create",
            "compute.instanceTemplates.get",
            "compute.instanceTemplates.useReadOnly",
            "compute.reservations.create",
            "compute.reservations.get",
        ),
        AS_WORKLOAD,
    ),
    _step(
        "start_vm",
        "vm.started",
        "state compute ledger",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        LEDGER_LIST,
        may_tell_of("instance"),
        may_make_machines("start the confidential VM and compare an existing one", "compute.instances.get"),
        AS_WORKLOAD,
    ),
    _step(
        "verify_evidence",
        "evidence.verified",
        "storage state kms compute ledger",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        SHOWN_READ,
        LEDGER_LIST,
        may_keep_evidence("give the verdict, tell of a loss", "/verdict.json", "/lost.json"),
        SEE_MACHINES,
        may_disable_keys("disable the run's key when the evidence is refused"),
    ),
    _step(
        "submit_job",
        "job.submitted",
        "storage state compute ledger",
        STATE_READ,
        SEE_STATE,
        may_keep_state("/release.json"),
        EVIDENCE_READ,
        SHOWN_READ,
        LEDGER_LIST,
        SEE_MACHINES,
    ),
    _step(
        "publish_model",
        "model.published",
        "storage",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        SHOWN_READ,
        may_keep_evidence("say what was compared with the receipt", "/published.json"),
        may_read("bucket:models", "check the model's objects against the receipt"),
        may_list("bucket:models", "see that the receipt names every object"),
        timeout_s=540,
    ),
    _step(
        "close_run",
        "run.closed",
        "storage kms bigquery",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        SHOWN_READ,
        LEDGER_LIST,
        may_keep_evidence(
            "write bundle, reports, which attempt follows, and the end",
            "/bundle.json",
            "/report.json",
            "/report.html",
            "/resources.json",
            "/closed.json",
            names.NEXT,
        ),
        may_read("bucket:inbox", "read the refusal of a run that was not admitted", "refused/"),
        may_list("bucket:inbox", "tell that there is no refusal"),
        Grant(
            "key:bundle",
            (
                "cloudkms.cryptoKeyVersions.list",
                "cloudkms.cryptoKeyVersions.useToSign",
                "cloudkms.cryptoKeyVersions.viewPublicKey",
            ),
            "sign the bundle",
        ),
        may_write_rows("write the run's row"),
        timeout_s=120,
    ),
)

LISTENERS: tuple[Function, ...] = (
    _listener(
        "start_run",
        "bucket:inbox",
        "run.started",
        "executions",
        Grant("project", ("workflows.executions.create",), "start the workflow of an upload"),
    ),
    _listener(
        "record_completion",
        "topic:job-events",
        "completion.recorded",
        "storage executions",
        STATE_READ,
        SEE_STATE,
        may_keep_state("/completion.json"),
        SHOWN_READ,
        may_list("bucket:evidence", "tell that the workload has not attested yet"),
        Grant("project", ("workflows.callbacks.send",), "wake the waiting workflow"),
    ),
    _listener(
        "record_attestation",
        "topic:attestation-logs",
        "attestation.recorded",
        "storage kms pubsub bigquery ledger",
        STATE_READ,
        SEE_STATE,
        EVIDENCE_READ,
        SHOWN_READ,
        may_list("bucket:evidence", "tell a new entry from one that is kept"),
        may_keep_evidence("keep the entry as it was issued", ".log.json"),
        may_keep_evidence("say what it raised, and judge later tokens", ".alert.json", "/judgement.json"),
        may_disable_keys("disable the run's key on a failed attestation"),
        may_ask_for_teardown(),
        may_write_rows("write the entry's row"),
    ),
    _listener(
        "report_compliance",
        "topic:report-requests",
        "report.written",
        "storage bigquery",
        may_read("bucket:evidence", "read the runs' records", "runs/"),
        may_list("bucket:evidence", "find the period's runs"),
        may_create("bucket:evidence", "write the report", prefix="reports/"),
        may_read("bucket:evidence", "compare a repeated report", "reports/"),
        Grant("project", ("bigquery.jobs.create",), "run the report's query"),
        Grant("dataset", ("bigquery.tables.getData",), "read the rows"),
        timeout_s=300,
    ),
    _listener(
        "guard_budget",
        "topic:budget-alerts",
        "budget.judged",
        "state",
        may_create("bucket:state", "say that the budget is spent", budget.PAUSE, prefix=budget.PREFIX),
        may_read("bucket:state", "see which pause stands", budget.PREFIX),
        may_list("bucket:state", "see at which marks there were pauses, and which were lifted"),
    ),
    _listener(
        "tear_down",
        "topic:teardown-requests",
        "run.torn_down",
        "storage kms compute ledger",
        STATE_READ,
        SEE_STATE,
        may_keep_state("/teardown.json", "/stopped.json"),
        EVIDENCE_READ,
        LEDGER_LIST,
        may_keep_evidence("say what is gone, and prove it", ".gone.json", "/proof.json"),
        REMOVE_SEALED,
        *REMOVE_CHECKPOINTS,
        DESTROY_KEYS,
        REMOVE_MACHINES,
        timeout_s=540,
        workflow=True,
    ),
    _listener(
        "sweep",
        "topic:sweep-requests",
        "runs.swept",
        "storage kms compute executions",
        STATE_READ,
        may_list("bucket:state", "find the runs"),
        may_list("bucket:evidence", "find the closings"),
        may_list("bucket:checkpoints", "find checkpoints that nobody went on from"),
        Grant("project", LIST_MACHINES, "find what outlived its run"),
        Grant("ring:release", ("cloudkms.cryptoKeys.list",), "find keys that outlived their run"),
        Grant("project", ("storage.buckets.list",), "find buckets that outlived their run"),
        Grant("project", ("workflows.executions.get",), "see whether a run's workflow has ended"),
        Grant("project", ("workflows.executions.create",), "start the teardown, or the attempt that follows"),
        timeout_s=300,
    ),
)

FUNCTIONS: tuple[Function, ...] = (*STEPS, *LISTENERS)


def function(name: str) -> Function:
    """The row of a function; KeyError for a word that is none."""
    return {row.name: row for row in FUNCTIONS}[name]
