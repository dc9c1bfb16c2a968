"""One good request for every method that the stand-in serves, in an order in which all of them pass.

Planted faults, missing permissions and the fuzzer start from these.
"""

from __future__ import annotations

from tests.localcloud.deploying import archive
from tests.localcloud.doors.good_request import (
    ACCOUNT,
    BUCKET,
    NUMBER,
    OBJECT,
    OWNER,
    PROJECT,
    Good,
    Json,
    L,
    P,
)

POLICY = {"bindings": [{"role": "roles/viewer", "members": [f"serviceAccount:{ACCOUNT}"]}]}
SPACE = "projects/confidential-space-images/global/images/family/confidential-space"
MACHINE: Json = {
    "machineType": "n2d-standard-2",
    "disks": [
        {"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": SPACE, "diskSizeGb": "11"}}
    ],
    "networkInterfaces": [{"network": "global/networks/default"}],
    "confidentialInstanceConfig": {"confidentialInstanceType": "SEV"},
    "scheduling": {"onHostMaintenance": "TERMINATE", "automaticRestart": False},
    "metadata": {"items": [{"key": "good", "value": "yes"}]},
}
FLEX: Json = {
    **MACHINE,
    "machineType": "a3-highgpu-1g",
    "disks": [{"boot": True, "initializeParams": {"sourceImage": SPACE, "diskSizeGb": "30"}}],
    "confidentialInstanceConfig": {"confidentialInstanceType": "TDX"},
    "scheduling": {
        "provisioningModel": "FLEX_START",
        "onHostMaintenance": "TERMINATE",
        "instanceTerminationAction": "DELETE",
        "maxRunDuration": {"seconds": "600"},
    },
    "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
}
DIGEST = {"digest": {"sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="}}


def _policy(collection: str, *, bindings: Json = POLICY) -> list[Good]:
    return [
        Good(f"{collection}.setIamPolicy", {"policy": bindings}),
        Good(f"{collection}.getIamPolicy", {} if collection == "cloudresourcemanager.projects" else None),
        Good(f"{collection}.testIamPermissions", {"permissions": ["compute.instances.get"]}),
    ]


_KEYS = "cloudkms.projects.locations.keyRings"
_KEY, _VERSION = f"{_KEYS}.cryptoKeys", f"{_KEYS}.cryptoKeys.cryptoKeyVersions"
_SIGNER = {"name": f"{L}/keyRings/good/cryptoKeys/signer/cryptoKeyVersions/1"}
_SECOND = {"name": f"{L}/keyRings/good/cryptoKeys/good/cryptoKeyVersions/2"}
_FUNCTIONS = "cloudfunctions.projects.locations"
_POOLS = "iam.projects.locations.workloadIdentityPools"
_EXECUTIONS = "workflowexecutions.projects.locations.workflows.executions"
_SOURCE = "main:\n  steps:\n    - wait:\n        call: sys.sleep\n        args: {seconds: 1000}\n"
_OWNERS = {
    "version": 3,
    "bindings": [
        {"role": "roles/owner", "members": [OWNER]},
        {"role": "roles/localcloud.keyboard", "members": ["user:you@localhost"]},
    ],
}

_AGENT = f"serviceAccount:service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
_PUBLISHED_BY_STORAGE = {"bindings": [{"role": "roles/pubsub.publisher", "members": [_AGENT]}]}

IAM = [
    Good("iam.projects.serviceAccounts.create", {"accountId": "good-account"}),
    Good("iam.projects.serviceAccounts.get"),
    Good("iam.projects.serviceAccounts.list"),
    *_policy("iam.projects.serviceAccounts"),
    Good(
        "iam.projects.roles.create",
        {"roleId": "good.role", "role": {"title": "Good", "includedPermissions": ["storage.objects.get"]}},
    ),
    Good("iam.projects.roles.get"),
    Good("iam.roles.get", place={"name": "roles/storage.objectViewer"}),
    Good(f"{_POOLS}.create", {"displayName": "Good"}, {"workloadIdentityPoolId": "good-pool"}),
    Good(f"{_POOLS}.get"),
    Good(f"{_POOLS}.list"),
    Good(
        f"{_POOLS}.providers.create",
        {
            "oidc": {"issuerUri": "https://confidentialcomputing.googleapis.com"},
            "attributeMapping": {"google.subject": "assertion.sub"},
        },
        {"workloadIdentityPoolProviderId": "good-provider"},
    ),
    Good(f"{_POOLS}.providers.get"),
    Good(f"{_POOLS}.providers.list"),
    Good(f"{_POOLS}.providers.patch", {"displayName": "Better"}, {"updateMask": "displayName"}),
    Good("cloudresourcemanager.projects.get"),
    *_policy("cloudresourcemanager.projects", bindings=_OWNERS),
    Good("run.projects.locations.services.setIamPolicy", {"policy": POLICY}),
    Good("run.projects.locations.services.getIamPolicy"),
    Good("run.projects.locations.services.testIamPermissions", {"permissions": ["run.routes.invoke"]}),
]
KMS = [
    Good(f"{_KEYS}.create", {}, {"keyRingId": "good"}),
    Good(f"{_KEYS}.get"),
    Good(f"{_KEYS}.list"),
    *_policy(_KEYS),
    Good(
        f"{_KEY}.create",
        {
            "purpose": "ENCRYPT_DECRYPT",
            "versionTemplate": {"protectionLevel": "HSM"},
            "rotationPeriod": "2592000s",
            "nextRotationTime": "2099-01-01T00:00:00Z",
            "destroyScheduledDuration": "86400s",
        },
        {"cryptoKeyId": "good"},
    ),
    Good(
        f"{_KEY}.create",
        {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"}},
        {"cryptoKeyId": "signer"},
    ),
    Good(f"{_KEY}.get"),
    Good(f"{_KEY}.list", query={"pageSize": 1}),
    Good(f"{_KEY}.patch", {"labels": {"good": "yes"}}, {"updateMask": "labels"}),
    *_policy(_KEY),
    Good(f"{_VERSION}.create", {}),
    Good(f"{_VERSION}.get"),
    Good(f"{_VERSION}.list"),
    Good(f"{_VERSION}.patch", {"state": "ENABLED"}, {"updateMask": "state"}, _SECOND),
    Good(f"{_VERSION}.destroy", {}, place=_SECOND),
    Good(f"{_VERSION}.restore", {}, place=_SECOND),
    Good(f"{_VERSION}.asymmetricSign", DIGEST, place=_SIGNER),
    Good(f"{_VERSION}.getPublicKey", place=_SIGNER),
    Good(f"{_KEY}.encrypt", {"plaintext": "Z29vZA=="}, learn={"ciphertext": "ciphertext"}),
    Good(f"{_KEY}.decrypt", {"ciphertext": "{ciphertext}"}),
    Good(f"{_KEY}.updatePrimaryVersion", {"cryptoKeyVersionId": "1"}),
    Good(f"{_VERSION}.delete", place=_SECOND, passes=False),  # not destroyed yet
    Good(f"{_KEYS}.create", {}, {"keyRingId": "brief"}),
    Good(
        f"{_KEY}.create",
        {"purpose": "ENCRYPT_DECRYPT"},
        {"cryptoKeyId": "brief", "skipInitialVersionCreation": "true"},
        {"parent": f"{L}/keyRings/brief"},
    ),
    Good(f"{_KEY}.delete", place={"name": f"{L}/keyRings/brief/cryptoKeys/brief"}),
    Good(f"{_KEYS}.delete", place={"name": f"{L}/keyRings/brief"}),
    Good("cloudkms.projects.locations.retiredResources.list", learn={"retired": "retiredResources.0.name"}),
    Good("cloudkms.projects.locations.retiredResources.get", place={"name": "{retired}"}),
]
PUBSUB = [
    Good("pubsub.projects.topics.create", {"labels": {"good": "yes"}}),
    Good("pubsub.projects.topics.get"),
    Good("pubsub.projects.topics.list"),
    *_policy("pubsub.projects.topics"),
    Good(
        "pubsub.projects.subscriptions.create",
        {"topic": f"{P}/topics/good", "ackDeadlineSeconds": 600, "filter": 'attributes.good = "yes"'},
    ),
    Good("pubsub.projects.subscriptions.get"),
    Good("pubsub.projects.subscriptions.list"),
    *_policy("pubsub.projects.subscriptions"),
    Good(
        "pubsub.projects.topics.publish", {"messages": [{"data": "Z29vZA==", "attributes": {"good": "yes"}}]}
    ),
    Good("pubsub.projects.subscriptions.pull", {"maxMessages": 1}, learn={"ack": "receivedMessages.0.ackId"}),
    Good("pubsub.projects.subscriptions.modifyAckDeadline", {"ackIds": ["{ack}"], "ackDeadlineSeconds": 600}),
    Good("pubsub.projects.subscriptions.acknowledge", {"ackIds": ["{ack}"]}),
]
STORAGE = [
    Good("storage.projects.serviceAccount.get"),
    Good("storage.buckets.insert", {"name": BUCKET, "location": "US-CENTRAL1"}, {"project": PROJECT}),
    Good("storage.buckets.get"),
    Good("storage.buckets.list", query={"project": PROJECT}),
    Good("storage.buckets.patch", {"labels": {"good": "yes"}}),
    Good("storage.buckets.setIamPolicy", POLICY),
    Good("storage.buckets.getIamPolicy"),
    Good("storage.buckets.testIamPermissions", query={"permissions": "storage.objects.get"}),
    Good(
        "storage.objects.insert",
        query={"uploadType": "media", "name": OBJECT},
        content=archive({"main.py": "def main(request):\n    return 'good'\n"}),
    ),
    Good("storage.objects.get", query={"alt": "media"}),
    Good("storage.objects.list"),
    Good("storage.objects.copy", {}),
    Good("storage.objects.rewrite", {}, place={"destinationObject": "good%2Frewritten"}),
    Good(
        "storage.objects.compose",
        {"sourceObjects": [{"name": OBJECT}, {"name": "good/copy"}], "destination": {"contentType": "x/y"}},
        place={"destinationObject": "good%2Fcomposed"},
    ),
    Good("storage.objects.insert", query={"uploadType": "media", "name": "good/gone"}, content=b"x"),
    Good("storage.objects.get", place={"object": "good%2Fgone"}, learn={"generation": "generation"}),
    Good("storage.objects.delete", place={"object": "good%2Fgone"}),
    Good("storage.objects.restore", {}, {"generation": "{generation}"}, {"object": "good%2Fgone"}),
    Good("storage.objects.patch", {"metadata": {"good": "yes"}}, place={"object": "good%2Frewritten"}),
    Good("pubsub.projects.topics.setIamPolicy", {"policy": _PUBLISHED_BY_STORAGE}),
    Good(
        "storage.notifications.insert",
        {"topic": f"//pubsub.googleapis.com/{P}/topics/good", "payload_format": "NONE"},
        learn={"notification": "id"},
    ),
    Good("storage.notifications.get"),
    Good("storage.notifications.list"),
]
COMPUTE = [
    Good("compute.zones.get"),
    Good("compute.zones.list"),
    Good("compute.machineTypes.get"),
    Good("compute.images.get", place={"project": "confidential-space-images"}),
    Good("compute.images.getFromFamily", place={"project": "confidential-space-images"}),
    Good("compute.instanceTemplates.insert", {"name": "good", "properties": FLEX}, learn={"global": "name"}),
    Good("compute.globalOperations.get", place={"operation": "{global}"}),
    Good("compute.globalOperations.list"),
    Good("compute.globalOperations.wait", place={"operation": "{global}"}),
    Good("compute.instanceTemplates.get"),
    Good("compute.instanceTemplates.list"),
    Good(
        "compute.reservations.insert",
        {
            "name": "good",
            "specificReservation": {"count": "1", "instanceProperties": {"machineType": "n2d-standard-2"}},
            "deleteAfterDuration": {"seconds": "3600"},
        },
    ),
    Good("compute.reservations.get"),
    Good("compute.reservations.list"),
    Good("compute.reservations.aggregatedList"),
    Good(
        "compute.instanceGroupManagers.insert",
        {
            "name": "good",
            "instanceTemplate": "global/instanceTemplates/good",
            "targetSize": 0,
            "instanceLifecyclePolicy": {"defaultActionOnFailure": "DO_NOTHING"},
        },
    ),
    Good("compute.instanceGroupManagers.get"),
    Good("compute.instanceGroupManagers.list"),
    Good("compute.instanceGroupManagers.aggregatedList"),
    Good("compute.instanceGroupManagers.listManagedInstances"),
    Good("compute.instanceGroupManagerResizeRequests.insert", {"name": "good", "resizeBy": 1}),
    Good("compute.instanceGroupManagerResizeRequests.get"),
    Good("compute.instanceGroupManagerResizeRequests.list"),
    Good("compute.instanceGroupManagerResizeRequests.cancel"),
    Good("compute.instanceGroupManagerResizeRequests.delete"),
    Good(
        "compute.instances.insert",
        {"name": "good", "serviceAccounts": [{"email": ACCOUNT}], **MACHINE},
        learn={"operation": "name"},
    ),
    Good("compute.zoneOperations.get"),
    Good("compute.zoneOperations.list"),
    Good("compute.zoneOperations.wait"),
    Good("compute.instances.get"),
    Good("compute.instances.list", query={"filter": "labels.good=yes"}),
    Good("compute.instances.aggregatedList"),
    Good("compute.instances.getSerialPortOutput"),
    Good("compute.instances.simulateMaintenanceEvent"),
    Good("compute.instances.stop"),
]
REST = [
    Good(
        "artifactregistry.projects.locations.repositories.create",
        {"format": "DOCKER"},
        {"repositoryId": "good"},
    ),
    Good("artifactregistry.projects.locations.repositories.get"),
    Good("artifactregistry.projects.locations.repositories.list"),
    *_policy("artifactregistry.projects.locations.repositories"),
    Good("bigquery.datasets.insert", {"datasetReference": {"datasetId": "good"}, "labels": {"good": "yes"}}),
    Good("bigquery.datasets.get"),
    Good("bigquery.datasets.list"),
    Good("bigquery.datasets.patch", {"friendlyName": "Good"}),
    Good(
        "bigquery.tables.insert",
        {"tableReference": {"tableId": "good"}, "schema": {"fields": [{"name": "a", "type": "STRING"}]}},
    ),
    Good("bigquery.tables.get"),
    Good("bigquery.tables.list"),
    Good("bigquery.tabledata.insertAll", {"rows": [{"insertId": "1", "json": {"a": "good"}}]}),
    Good("bigquery.tabledata.list"),
    Good("bigquery.jobs.query", {"query": "SELECT a FROM good.good", "useLegacySql": False}),
    Good(
        "bigquery.jobs.insert",
        {"configuration": {"query": {"query": "SELECT 1", "useLegacySql": False}}},
        learn={"job": "jobReference.jobId"},
    ),
    Good("bigquery.jobs.get"),
    Good("bigquery.jobs.getQueryResults"),
    Good(
        f"{_FUNCTIONS}.functions.create",
        {
            "buildConfig": {
                "runtime": "python311",
                "entryPoint": "main",
                "source": {"storageSource": {"bucket": BUCKET, "object": OBJECT}},
            },
            "serviceConfig": {"serviceAccountEmail": ACCOUNT, "timeoutSeconds": 60},
        },
        {"functionId": "good"},
        learn={"deployment": "name"},
    ),
    Good(f"{_FUNCTIONS}.functions.get"),
    Good(f"{_FUNCTIONS}.functions.list"),
    Good(
        f"{_FUNCTIONS}.functions.patch",
        {"serviceConfig": {"timeoutSeconds": 61}},
        {"updateMask": "serviceConfig.timeoutSeconds"},
    ),
    *_policy(f"{_FUNCTIONS}.functions"),
    Good(f"{_FUNCTIONS}.operations.get", place={"name": "{deployment}"}),
    Good(
        "cloudscheduler.projects.locations.jobs.create",
        {
            "name": f"{L}/jobs/good",
            "schedule": "0 3 * * *",
            "pubsubTarget": {"topicName": f"{P}/topics/good", "data": "Z29vZA=="},
        },
    ),
    Good("cloudscheduler.projects.locations.jobs.get"),
    Good("cloudscheduler.projects.locations.jobs.list"),
    Good("cloudscheduler.projects.locations.jobs.run", {}),
    Good("cloudscheduler.projects.locations.jobs.pause", {}),
    Good("cloudscheduler.projects.locations.jobs.resume", {}),
    Good("confidentialcomputing.projects.locations.challenges.create", {}, learn={"challenge": "name"}),
    Good(
        "confidentialcomputing.projects.locations.challenges.verifyAttestation",
        {"tokenOptions": {"audience": "good", "nonce": ["good-good-good-good"]}},
        place={"challenge": "{challenge}"},
        passes=False,  # without evidence; a machine's own is in test_attestation
    ),
    Good(
        "logging.entries.write", {"entries": [{"logName": f"{P}/logs/good", "resource": {"type": "global"}}]}
    ),
    Good("logging.entries.list", {"resourceNames": [P], "filter": "severity>=DEFAULT"}),
    Good(
        "logging.projects.sinks.create",
        {
            "name": "good",
            "destination": f"pubsub.googleapis.com/{P}/topics/good",
            "filter": "severity>=ERROR",
        },
    ),
    Good("logging.projects.sinks.get"),
    Good("logging.projects.sinks.list"),
    Good(
        "workflows.projects.locations.workflows.create",
        {"sourceContents": _SOURCE, "serviceAccount": ACCOUNT},
        {"workflowId": "good"},
        learn={"deployed": "name"},
    ),
    Good("workflows.projects.locations.operations.get", place={"name": "{deployed}"}),
    Good("workflows.projects.locations.workflows.get"),
    Good("workflows.projects.locations.workflows.list"),
    Good(
        "workflows.projects.locations.workflows.patch",
        {"sourceContents": _SOURCE},
        {"updateMask": "sourceContents"},
    ),
    Good(f"{_EXECUTIONS}.create", {"argument": "null"}, learn={"execution": "name"}),
    Good(f"{_EXECUTIONS}.get", place={"name": "{execution}"}),
    Good(f"{_EXECUTIONS}.list"),
    Good(f"{_EXECUTIONS}.stepEntries.list", place={"parent": "{execution}"}),
    Good(f"{_EXECUTIONS}.callbacks.list", place={"parent": "{execution}"}),
    Good(f"{_EXECUTIONS}.cancel", {}, place={"name": "{execution}"}),
]
GONE = [
    Good("workflows.projects.locations.workflows.delete"),
    Good("logging.projects.sinks.delete"),
    Good("cloudscheduler.projects.locations.jobs.delete"),
    Good(f"{_FUNCTIONS}.functions.delete"),
    Good("bigquery.tables.delete"),
    Good("bigquery.datasets.delete"),
    Good("artifactregistry.projects.locations.repositories.delete"),
    Good("compute.instances.delete"),
    Good("compute.instanceGroupManagers.delete", learn={"gone": "name"}),
    Good("compute.zoneOperations.wait", place={"operation": "{gone}"}),
    Good("compute.instanceTemplates.delete"),
    Good("compute.reservations.delete"),
    Good("storage.notifications.delete"),
    *[
        Good("storage.objects.delete", place={"object": f"good%2F{name}"})
        for name in ("object", "copy", "rewritten", "composed", "gone")
    ],
    Good("storage.buckets.patch", {"retentionPolicy": {"retentionPeriod": "1"}}),
    Good("storage.buckets.lockRetentionPolicy", query={"ifMetagenerationMatch": "3"}),
    Good("storage.buckets.delete"),
    Good("pubsub.projects.subscriptions.delete"),
    Good("pubsub.projects.topics.delete"),
]
GOOD = [*IAM, *KMS, *PUBSUB, *STORAGE, *COMPUTE, *REST, *GONE]
