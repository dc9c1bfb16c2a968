"""Every cloud name and object path, derived from the settings and the run id.

Rules:
- Nothing is random: teardown computes the same names without having been told them.
- D, P, L and R below are deployment, project, region and run id.
- A function's word carries underscores in Python and hyphens in the cloud.
- What a record is stands at the end of its name: who may create it is a condition on that ending.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import NewType

from sealtrain.rules.canonical import dumps, hex_of
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.settings import Settings

RunId = NewType("RunId", str)

RUN_ID = re.compile(r"r[0-9a-f]{12}")
NEXT = ".next.json"
_LOG_ENTRY = re.compile(r"runs/[^/]+/logs/[^/]+\.log\.json")
WORKFLOW_TRAIN = "train"
WORKFLOW_TEAR_DOWN = "tear_down"
POOL_PROVIDER = "attestation-verifier"


def run_id(bucket: str, object_name: str, generation: str, attempt: int) -> RunId:
    """The run of one upload and attempt: the same input gives the same id."""
    upload = {
        "bucket": bucket,
        "object": object_name,
        "generation": generation,
        "attempt": attempt,
    }
    return RunId("r" + hashlib.sha256(dumps(upload)).hexdigest()[:12])


def checked_run_id(text: str) -> RunId:
    """Text as a run id. Raises InvalidRequestError on anything else."""
    if not RUN_ID.fullmatch(text):
        raise InvalidRequestError("not a run id", field="run", got=text, expected="r and 12 hex digits")
    return RunId(text)


# --- buckets -------------------------------------------------------------------------------


def _bucket(word: str, what: str) -> Callable[[Settings], str]:
    """The function that names the deployment's bucket of this word."""

    def name(s: Settings) -> str:
        return f"{s.deployment}-{s.project}-{word}"

    name.__doc__ = what
    return name


inbox_bucket = _bucket("inbox", "Where owners put data; refusals are written there too.")
state_bucket = _bucket("state", "A run's working records: claim, job, plan, order, release, completion.")
evidence_bucket = _bucket("evidence", "Ledger, tokens, receipts, bundles: write-once, under retention.")
models_bucket = _bucket("models", "Sealed models; they stay.")
checkpoints_bucket = _bucket("checkpoints", "Sealed, each for the next attempt; what is removed is gone.")
sealed_bucket_prefix = _bucket("r", "What every sealed bucket's name begins with and no other bucket's does.")


def sealed_bucket(s: Settings, run: str) -> str:
    """The run's own bucket of sealed data parts; removed with the run."""
    return f"{sealed_bucket_prefix(s)}{run.removeprefix('r')}"


def gs(bucket: str, name: str) -> str:
    """`gs://bucket/name`."""
    return f"gs://{bucket}/{name}"


# --- objects -------------------------------------------------------------------------------


def _of_run(pattern: str, what: str) -> Callable[[str], str]:
    """The function that names this object, or what such names begin with, of a run."""

    def name(run: str) -> str:
        return pattern.replace("RUN", run)

    name.__doc__ = what
    return name


# In the inbox.
refusal = _of_run("refused/RUN.json", "Why the upload was refused.")

# In the state bucket, all below evidence_prefix.
claim = _of_run("runs/RUN/claim.json", "Who claimed the run.")
job = _of_run("runs/RUN/job.json", "The parsed job and its frozen dataset list.")
plan = _of_run("runs/RUN/plan.json", "Ordered capacity attempts.")
place_key = _of_run("runs/RUN/places.json", "The key that the places of later tokens are derived from.")
order = _of_run("runs/RUN/order.json", "The order, whose bytes are hashed.")
release = _of_run("runs/RUN/release.json", "The hand-over to the attested VM.")
completion = _of_run("runs/RUN/completion.json", "What the workload reported at its end.")
teardown = _of_run("runs/RUN/teardown.json", "That a teardown was asked for, and why.")
stopped = _of_run("runs/RUN/stopped.json", "That it was asked for after the end: no attempt follows.")

# In the evidence bucket.
evidence_prefix = _of_run("runs/RUN/", "Everything of a run; in the state bucket, too.")
ledger_prefix = _of_run("runs/RUN/ledger/", "The run's ledger entries.")
verdict = _of_run("runs/RUN/evidence/verdict.json", "What verify_evidence decided, and why.")
lost = _of_run("runs/RUN/evidence/lost.json", "That an accepted machine lost its attestation, and why.")
judgement_prefix = _of_run("runs/RUN/judgements/", "Where the judgements of later attestations stand.")
alert_prefix = _of_run("runs/RUN/alerts/", "Where a run's alerts stand.")
proof = _of_run("runs/RUN/proof.json", "The proof of teardown.")
bundle = _of_run("runs/RUN/bundle.json", "The signed bundle.")
resources = _of_run("runs/RUN/resources.json", "Every resource made, with created and seen-absent times.")
closed = _of_run("runs/RUN/closed.json", "How the run ended.")

# In the evidence bucket, written by the run's machine. All machines may, so nothing is ever listed here.
shown_prefix = _of_run("shown/RUN/", "Where a run's machine writes.")
token = _of_run("shown/RUN/token.json", "The first attestation token; of later ones see rules/later.py.")
receipt = _of_run("shown/RUN/receipt.json", "The workload's signed receipt.")

# In the models bucket.
model_prefix = _of_run("RUN/", "Everything of a run.")
model_manifest = _of_run("RUN/manifest.json", "The wrapped key for the owner and the model's files.")

# In the checkpoints bucket.
checkpoint_prefix = _of_run("RUN/", "What a preempted run left for its next attempt.")
checkpoint_manifest = _of_run("RUN/manifest.json", "The checkpoint's wrapped key and parts, written last.")


def held(run: str, order_digest: str) -> str:
    """State: the wrapped data key before its release."""
    return f"runs/{run}/{hex_of(order_digest)}.held.json"


def judgement(run: str, number: int) -> str:
    """Evidence: what was found about the n-th later attestation."""
    return f"{judgement_prefix(run)}{number:05d}/judgement.json"


def next_attempt(run: str, following: str) -> str:
    """Evidence: that an attempt follows on this run by itself, under the run id `following`."""
    return f"runs/{run}/{following}{NEXT}"


def alert(run: str, entry_id: str) -> str:
    """Evidence: what a log entry raised, and what followed from it."""
    return f"{alert_prefix(run)}{entry_id}.alert.json"


def log_entry(run: str, insert_id: str) -> str:
    """Evidence: one log entry as issued."""
    return f"runs/{run}/logs/{insert_id}.log.json"


def is_log_entry(object_name: str) -> bool:
    """Whether an object of this name is a log entry; others below the prefix are none."""
    return _LOG_ENTRY.fullmatch(object_name) is not None


def report(run: str, extension: str) -> str:
    """Evidence: the run's report, `json` or `html`."""
    return f"runs/{run}/report.{extension}"


def checkpoint_place(s: Settings, run: str) -> str:
    """Where a run's checkpoint lies: bucket and prefix, without the last slash."""
    return f"{checkpoints_bucket(s)}/{run}"


# --- keys ----------------------------------------------------------------------------------


def key_ring(s: Settings, word: str) -> str:
    """A key ring of the deployment: release, storage, evidence or owner."""
    return f"projects/{s.project}/locations/{s.region}/keyRings/{s.deployment}-{word}"


def run_key(s: Settings, run: str) -> str:
    """The run's wrapping key, on the release ring."""
    return f"{key_ring(s, 'release')}/cryptoKeys/{run}"


def storage_key(s: Settings) -> str:
    """The CMEK of buckets, tables and disks."""
    return f"{key_ring(s, 'storage')}/cryptoKeys/storage"


def bundle_key(s: Settings) -> str:
    """The key that signs bundles (EC P-256, SHA-256)."""
    return f"{key_ring(s, 'evidence')}/cryptoKeys/bundle"


def sealing_key(s: Settings) -> str:
    """The key that a data key rests under while a large dataset is being sealed, over several calls."""
    return f"{key_ring(s, 'storage')}/cryptoKeys/sealing"


def datasets_key(s: Settings) -> str:
    """The owner's key for datasets that are sealed before upload: only attested workloads decrypt."""
    return f"{key_ring(s, 'owner')}/cryptoKeys/datasets"


def owner_key(s: Settings) -> str:
    """The owner's key for models: the workload may only encrypt with it."""
    return f"{key_ring(s, 'owner')}/cryptoKeys/models"


def checkpoint_key(s: Settings) -> str:
    """The key of checkpoints, on the release ring: the workload may encrypt, only attested VMs decrypt."""
    return f"{key_ring(s, 'release')}/cryptoKeys/checkpoints"


# --- machines ------------------------------------------------------------------------------


def machine(s: Settings, run: str) -> str:
    """The short name of the run's instance, template, group, request and reservation."""
    return f"{s.deployment}-{run}"


def machine_prefix(s: Settings) -> str:
    """What the short name of every machine resource begins with."""
    return f"{s.deployment}-r"


def instance(s: Settings, run: str, zone: str) -> str:
    """Full name of the run's VM in a zone."""
    return f"projects/{s.project}/zones/{zone}/instances/{machine(s, run)}"


def template(s: Settings, run: str) -> str:
    """Full name of the run's instance template."""
    return f"projects/{s.project}/global/instanceTemplates/{machine(s, run)}"


def group(s: Settings, run: str, zone: str) -> str:
    """Full name of the run's managed instance group."""
    return f"projects/{s.project}/zones/{zone}/instanceGroupManagers/{machine(s, run)}"


def request(s: Settings, run: str, zone: str) -> str:
    """Full name of the run's resize request."""
    return f"{group(s, run, zone)}/resizeRequests/{machine(s, run)}"


def reservation(s: Settings, run: str, zone: str) -> str:
    """Full name of the run's reservation."""
    return f"projects/{s.project}/zones/{zone}/reservations/{machine(s, run)}"


def subnetwork(s: Settings) -> str:
    """The subnetwork of the workload: no route out but to Google's APIs."""
    return f"projects/{s.project}/regions/{s.region}/subnetworks/{s.deployment}-workload"


def labels(s: Settings, run: str, expires: int) -> dict[str, str]:
    """Labels of everything that takes them; `expires` in epoch seconds."""
    return {
        "sealtrain-deployment": s.deployment,
        "sealtrain-run": run,
        "sealtrain-expires": str(expires),
    }


# --- messages, functions, workflows, identities --------------------------------------------


def topic(s: Settings, word: str) -> str:
    """Full name of a topic: job-events, attestation-logs, teardown-requests, …"""
    return f"projects/{s.project}/topics/{s.deployment}-{word}"


def subscription(s: Settings, word: str) -> str:
    """Full name of a topic's push subscription."""
    return f"projects/{s.project}/subscriptions/{s.deployment}-{word}-push"


def hyphened(word: str) -> str:
    """A function's word as the cloud spells it."""
    return word.replace("_", "-")


def service_account(s: Settings, word: str) -> str:
    """Email of a function's account, or of workload, workflow, scheduler or push."""
    return f"{s.deployment}-{hyphened(word)}@{s.project}.iam.gserviceaccount.com"


def workflow(s: Settings, name: str) -> str:
    """Full name of a workflow: `train` or `tear_down`."""
    return f"projects/{s.project}/locations/{s.region}/workflows/{name}"


def pool(s: Settings) -> str:
    """Full name (by project number) of the pool of attested workloads."""
    return f"projects/{s.project_number}/locations/global/workloadIdentityPools/{s.deployment}-attested"


def sts_audience(s: Settings) -> str:
    """The audience of the token exchange."""
    return f"//iam.googleapis.com/{pool(s)}/providers/{POOL_PROVIDER}"


def attested_member(s: Settings, image_digest: str) -> str:
    """The IAM member that an attested workload of this image is."""
    return f"principalSet://iam.googleapis.com/{pool(s)}/attribute.image_digest/{image_digest}"


# --- tables --------------------------------------------------------------------------------


def dataset(s: Settings) -> str:
    """The BigQuery dataset id."""
    return s.deployment.replace("-", "_")


def table(s: Settings, name: str) -> str:
    """`project.dataset.table` of `runs` or `attestations`."""
    return f"{s.project}.{dataset(s)}.{name}"
