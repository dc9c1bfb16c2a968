"""One good request for every method of Pub/Sub, Storage, BigQuery and Artifact Registry."""

from __future__ import annotations

from tests.localcloud.deploying import archive
from tests.localcloud.doors.good_request import BUCKET, NUMBER, OBJECT, POLICY, PROJECT, Good, P, policies

_AGENT = f"serviceAccount:service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
_PUBLISHED_BY_STORAGE = {"bindings": [{"role": "roles/pubsub.publisher", "members": [_AGENT]}]}

PUBSUB = [
    Good("pubsub.projects.topics.create", {"labels": {"good": "yes"}}),
    Good("pubsub.projects.topics.get"),
    Good("pubsub.projects.topics.list"),
    *policies("pubsub.projects.topics"),
    Good(
        "pubsub.projects.subscriptions.create",
        {"topic": f"{P}/topics/good", "ackDeadlineSeconds": 600, "filter": 'attributes.good = "yes"'},
    ),
    Good("pubsub.projects.subscriptions.get"),
    Good("pubsub.projects.subscriptions.list"),
    *policies("pubsub.projects.subscriptions"),
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
DATA = [
    Good(
        "artifactregistry.projects.locations.repositories.create",
        {"format": "DOCKER"},
        {"repositoryId": "good"},
    ),
    Good("artifactregistry.projects.locations.repositories.get"),
    Good("artifactregistry.projects.locations.repositories.list"),
    *policies("artifactregistry.projects.locations.repositories"),
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
]
