"""One good request for every method that the stand-in serves, in an order in which all of them pass.

Planted faults, missing permissions and the fuzzer start from these.
"""

from __future__ import annotations

from tests.localcloud.doors.good_compute import COMPUTE
from tests.localcloud.doors.good_data import DATA, PUBSUB, STORAGE
from tests.localcloud.doors.good_identity import IAM, KMS
from tests.localcloud.doors.good_request import ACCOUNT, BUCKET, OBJECT, Good, L, P, policies

_FUNCTIONS = "cloudfunctions.projects.locations"
_EXECUTIONS = "workflowexecutions.projects.locations.workflows.executions"
_SOURCE = "main:\n  steps:\n    - wait:\n        call: sys.sleep\n        args: {seconds: 1000}\n"

REST = [
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
    *policies(f"{_FUNCTIONS}.functions"),
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
GOOD = [*IAM, *KMS, *PUBSUB, *STORAGE, *COMPUTE, *DATA, *REST, *GONE]
