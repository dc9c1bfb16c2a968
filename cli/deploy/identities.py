"""Who there is besides the functions, and what each of them may do.

- workload: the VM's own account. It cannot open a key; only the attested member can, on the release ring.
- workflow: calls steps, starts the teardown workflow. push: who Pub/Sub and storage events call functions as.
- Google's service agents get only what Google documents for the feature that is used.
"""

from __future__ import annotations

from sealtrain.rules import names, step_table
from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Resource, bucket, named
from cli.deploy.roles import Roles, account, key, place, repository

PLATFORM_ACCOUNTS = {
    "push": "calls listeners for Pub/Sub and storage events",
    "workflow": "runs the workflows",
    "workload": "is the identity of the confidential VM",
}


def accounts(settings: Settings) -> list[Resource]:
    """One service account per function, and the three of the platform; none has a key."""
    purposes = {f.name: f"runs the function {f.name}" for f in step_table.FUNCTIONS} | PLATFORM_ACCOUNTS
    made = []
    for word, purpose in sorted(purposes.items()):
        email = names.service_account(settings, word)
        body = {"displayName": f"{settings.deployment} {word}", "description": purpose}
        made.append(Resource("account", f"projects/{settings.project}/serviceAccounts/{email}", body))
    return made


def of_platform(settings: Settings, roles: Roles, owner: str) -> list[Grant]:
    """The grants of everybody who is not a function."""
    return [
        *_attested(settings),
        *_workload(settings, roles),
        *_workflow(settings, roles),
        *_owner(settings, roles, owner),
        *_agents(settings),
        Grant(
            names.topic(settings, "attestation-logs"),
            "roles/pubsub.publisher",
            "writer-of:attestation-logs",
            "the sink publishes attestation and launcher log entries",
        ),
    ]


def storage_agent(settings: Settings) -> str:
    """Cloud Storage's service agent."""
    return f"serviceAccount:service-{settings.project_number}@gs-project-accounts.iam.gserviceaccount.com"


def _attested(settings: Settings) -> list[Grant]:
    return [
        Grant(
            on,
            "roles/cloudkms.cryptoKeyDecrypter",
            names.attested_member(settings, digest),
            "only a VM that attested this approved image opens a data key",
        )
        for digest in settings.approved_images
        for on in (names.key_ring(settings, "release"), key(settings, "datasets"))
    ]


def _workload(settings: Settings, roles: Roles) -> list[Grant]:
    me, project = account(settings, "workload"), f"projects/{settings.project}"
    state, evidence = names.state_bucket(settings), names.evidence_bucket(settings)
    models = bucket(names.models_bucket(settings))
    sealed, of_sealed = place(settings, "bucket:sealed")
    read, create = (
        roles.role(["storage.objects.get"], "read"),
        roles.role(["storage.objects.create"], "create"),
    )
    encrypt = roles.role(["cloudkms.cryptoKeyVersions.useToEncrypt"], "encrypt")
    publish = roles.role(["pubsub.topics.publish"], "publish")
    # One account serves all runs: what tells them apart is the order that each VM attests. So it may write
    # token and receipt, and nothing that a verdict, a ledger or a proof stands in. It may write no log entry:
    # an alarm in a log tears a run down, so it has to be the platform's word.
    own_records = named(evidence, "runs/", "/token.json", "/evidence/receipt.json")
    own_state = named(state, "runs/", "/order.json", "/release.json")
    return [
        Grant(bucket(state), read, me, "reads its order and the hand-over", own_state),
        Grant(sealed, read, me, "reads the sealed dataset", of_sealed),
        Grant(bucket(evidence), create, me, "writes its token and its receipt", own_records),
        Grant(bucket(evidence), read, me, "compares a record that it wrote before", own_records),
        Grant(models, create, me, "writes the sealed model"),
        Grant(models, read, me, "compares a part that it wrote before, and reads its checkpoint"),
        Grant(key(settings, "models"), encrypt, me, "wraps the model's key for the owner"),
        Grant(key(settings, "checkpoints"), encrypt, me, "wraps a checkpoint's key for attested VMs"),
        Grant(names.topic(settings, "job-events"), publish, me, "tells that the training ended"),
        Grant(
            project,
            "roles/confidentialcomputing.workloadUser",
            me,
            "asks the attestation service for tokens",
        ),
        Grant(
            repository(settings),
            "roles/artifactregistry.reader",
            me,
            "the launcher pulls the trainer's image",
        ),
    ]


def _workflow(settings: Settings, roles: Roles) -> list[Grant]:
    permissions = ["workflows.executions.create", "workflows.executions.get"]
    return [
        Grant(
            f"projects/{settings.project}",
            roles.role(permissions, "workflow.executions"),
            account(settings, "workflow"),
            "starts the teardown workflow and waits for it",
        )
    ]


def _owner(settings: Settings, roles: Roles, owner: str) -> list[Grant]:
    decrypt = roles.role(["cloudkms.cryptoKeyVersions.useToDecrypt"], "decrypt")
    encrypt = roles.role(["cloudkms.cryptoKeyVersions.useToEncrypt"], "encrypt")
    datasets = key(settings, "datasets")
    return [
        Grant(key(settings, "models"), decrypt, owner, "opens the owner's own models"),
        Grant(key(settings, "models"), encrypt, owner, "wraps a model's key again after a rotation"),
        Grant(datasets, encrypt, owner, "seals the owner's own datasets before upload"),
        Grant(datasets, decrypt, owner, "opens the owner's own datasets"),
    ]


def _agents(settings: Settings) -> list[Grant]:
    number, project = settings.project_number, f"projects/{settings.project}"
    cmek = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    pubsub = f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    agents = {
        "Cloud Storage": storage_agent(settings),
        "Compute Engine": f"serviceAccount:service-{number}@compute-system.iam.gserviceaccount.com",
        "BigQuery": f"serviceAccount:bq-{number}@bigquery-encryption.iam.gserviceaccount.com",
    }
    grants = [
        Grant(key(settings, "storage"), cmek, member, f"{service} encrypts at rest with our key")
        for service, member in agents.items()
    ]
    grants += [
        Grant(
            key(settings, "evidence"), cmek, storage_agent(settings), "evidence rests under a key of its own"
        ),
        Grant(
            project, "roles/pubsub.publisher", storage_agent(settings), "storage events go by way of Pub/Sub"
        ),
        Grant(
            project, "roles/eventarc.eventReceiver", account(settings, "push"), "receives the storage events"
        ),
        Grant(
            names.topic(settings, "dead-letters"),
            "roles/pubsub.publisher",
            pubsub,
            "Pub/Sub moves what was refused too often",
        ),
    ]
    grants += [
        Grant(
            names.subscription(settings, function.trigger.removeprefix("topic:")),
            "roles/pubsub.subscriber",
            pubsub,
            "Pub/Sub takes a dead letter off its subscription",
        )
        for function in step_table.LISTENERS
        if function.trigger.startswith("topic:")
    ]
    return grants
