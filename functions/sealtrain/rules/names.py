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
from typing import NewType

from sealtrain.rules.canonical import dumps, hex_of
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.settings import Settings

RunId = NewType("RunId", str)

RUN_ID = re.compile(r"r[0-9a-f]{12}")
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


def inbox_bucket(s: Settings) -> str:
    """Where owners put data; refusals are written there too."""
    return f"{s.deployment}-{s.project}-inbox"


def state_bucket(s: Settings) -> str:
    """A run's working records: claim, job, plan, order, release, completion."""
    return f"{s.deployment}-{s.project}-state"


def evidence_bucket(s: Settings) -> str:
    """Ledger, tokens, receipts, bundles: write-once, under retention."""
    return f"{s.deployment}-{s.project}-evidence"


def models_bucket(s: Settings) -> str:
    """Sealed models; they stay."""
    return f"{s.deployment}-{s.project}-models"


def checkpoints_bucket(s: Settings) -> str:
    """Sealed checkpoints, each for the next attempt; what is removed here is gone."""
    return f"{s.deployment}-{s.project}-checkpoints"


def sealed_bucket(s: Settings, run: str) -> str:
    """The run's own bucket of sealed data parts; removed with the run."""
    return f"{sealed_bucket_prefix(s)}{run.removeprefix('r')}"


def sealed_bucket_prefix(s: Settings) -> str:
    """What every sealed bucket's name begins with and no other bucket's does."""
    return f"{s.deployment}-{s.project}-r"


def gs(bucket: str, name: str) -> str:
    """`gs://bucket/name`."""
    return f"gs://{bucket}/{name}"


# --- objects -------------------------------------------------------------------------------


def refusal(run: str) -> str:
    """Inbox: why the upload was refused."""
    return f"refused/{run}.json"


def claim(run: str) -> str:
    """State: who claimed the run."""
    return f"runs/{run}/claim.json"


def job(run: str) -> str:
    """State: the parsed job and its frozen dataset list."""
    return f"runs/{run}/job.json"


def plan(run: str) -> str:
    """State: ordered capacity attempts."""
    return f"runs/{run}/plan.json"


def order(run: str) -> str:
    """State: the order, whose bytes are hashed."""
    return f"runs/{run}/order.json"


def held(run: str, order_digest: str) -> str:
    """State: the wrapped data key before its release."""
    return f"runs/{run}/{hex_of(order_digest)}.held.json"


def release(run: str) -> str:
    """State: the hand-over to the attested VM."""
    return f"runs/{run}/release.json"


def completion(run: str) -> str:
    """State: what the workload reported at its end."""
    return f"runs/{run}/completion.json"


def teardown(run: str) -> str:
    """State: that a teardown was asked for, and why."""
    return f"runs/{run}/teardown.json"


def evidence_prefix(run: str) -> str:
    """Evidence, and state: everything of a run."""
    return f"runs/{run}/"


def ledger_prefix(run: str) -> str:
    """Evidence: the run's ledger entries."""
    return f"runs/{run}/ledger/"


def token(run: str) -> str:
    """Evidence: the attestation token as the workload wrote it."""
    return f"runs/{run}/evidence/token.json"


def verdict(run: str) -> str:
    """Evidence: what verify_evidence decided, and why."""
    return f"runs/{run}/evidence/verdict.json"


def receipt(run: str) -> str:
    """Evidence: the workload's signed receipt."""
    return f"runs/{run}/evidence/receipt.json"


def token_prefix(run: str) -> str:
    """Evidence: where a run's tokens stand, the first and those of later attestations."""
    return f"runs/{run}/evidence/"


def judgement(token: str) -> str:
    """Evidence: what was found about a later attestation, beside its token."""
    return f"{token.removesuffix('token.json')}judgement.json"


def lost(run: str) -> str:
    """Evidence: that an accepted machine lost its attestation, and why."""
    return f"runs/{run}/evidence/lost.json"


def alert_prefix(run: str) -> str:
    """Evidence: where a run's alerts stand."""
    return f"runs/{run}/alerts/"


def alert(run: str, entry_id: str) -> str:
    """Evidence: what a log entry raised, and what followed from it."""
    return f"{alert_prefix(run)}{entry_id}.alert.json"


def log_entry(run: str, insert_id: str) -> str:
    """Evidence: one log entry as issued."""
    return f"runs/{run}/logs/{insert_id}.log.json"


def is_log_entry(object_name: str) -> bool:
    """Whether an object of this name is a log entry; anybody may put others below the prefix."""
    return _LOG_ENTRY.fullmatch(object_name) is not None


def proof(run: str) -> str:
    """Evidence: the proof of teardown."""
    return f"runs/{run}/proof.json"


def bundle(run: str) -> str:
    """Evidence: the signed bundle."""
    return f"runs/{run}/bundle.json"


def report(run: str, extension: str) -> str:
    """Evidence: the run's report, `json` or `html`."""
    return f"runs/{run}/report.{extension}"


def resources(run: str) -> str:
    """Evidence: every resource made, with created and seen-absent times."""
    return f"runs/{run}/resources.json"


def closed(run: str) -> str:
    """Evidence: how the run ended."""
    return f"runs/{run}/closed.json"


def model_prefix(run: str) -> str:
    """Models: everything of a run."""
    return f"{run}/"


def model_manifest(run: str) -> str:
    """Models: the wrapped key for the owner and the model's files."""
    return f"{run}/manifest.json"


def checkpoint_prefix(run: str) -> str:
    """Checkpoints: what a preempted run left for its next attempt."""
    return f"{run}/"


def checkpoint_place(s: Settings, run: str) -> str:
    """Where a run's checkpoint lies: bucket and prefix, without the last slash."""
    return f"{checkpoints_bucket(s)}/{run}"


def checkpoint_manifest(run: str) -> str:
    """Checkpoints: the checkpoint's wrapped key and parts, written last."""
    return f"{checkpoint_prefix(run)}manifest.json"


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
