"""Body fields that must be there: those that the discovery documents annotate for the method, and those that
they call "Required." only in prose.

A patch is partial, so nothing is required of it. The table was read field by field: each row is a field that
the documents call required although Google does not insist on it in a request, with the reason.
"""

from __future__ import annotations

from functools import cache

from localcloud.doors.discovery import document

NOT_INSISTED_ON = {
    "bigquery.JobReference.jobId": "made by the server when left out",
    "bigquery.JobReference.projectId": "the path names it",
    "bigquery.TableReference.datasetId": "the path names it",
    "bigquery.TableReference.projectId": "the path names it",
    "cloudkms.CryptoKeyVersionTemplate.algorithm": "implied by ENCRYPT_DECRYPT; the door asks otherwise",
    "cloudkms.EncryptRequest.plaintext": "an empty plaintext is one, and clients leave empty bytes out",
    "logging.LogEntry.logName": "may come from the request around it",
    "logging.LogEntry.resource": "may come from the request around it",
    "logging.MonitoredResource.labels": "entries without labels are taken",
    "pubsub.ModifyAckDeadlineRequest.ackDeadlineSeconds": "0 is a value, and clients leave zeros out",
    "pubsub.PullRequest.maxMessages": "clients leave zeros out; the door asks for one or more",
    "pubsub.Subscription.name": "the path names it",
    "pubsub.Topic.name": "the path names it",
    "storage.Policy.bindings": "a policy without bindings is empty, and Google's client leaves the list out",
}


@cache
def required(api: str, schema: str, method: str) -> tuple[str, ...]:
    """The fields of `schema` that a request of `method` must have."""
    properties = document(api)["schemas"][schema].get("properties", {})
    return tuple(
        field
        for field, spec in properties.items()
        if f"{api}.{schema}.{field}" not in NOT_INSISTED_ON
        and (
            method in spec.get("annotations", {}).get("required", ())
            or spec.get("description", "").startswith("Required.")
        )
    )
