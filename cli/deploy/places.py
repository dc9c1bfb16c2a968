"""Where data rests: keys, buckets, topics, tables, the repository of trainers.

- Every bucket: uniform access, no public access, our key, and nothing without it. The inbox keeps no versions
  and no soft-deleted copies, so that `forget` forgets. Evidence has a retention time and a key of its own.
- The storage keys rotate every 30 days, in an HSM. The signing key's versions are destroyed no sooner than 30
  days after the request, so that a mistake can be taken back.
"""

from __future__ import annotations

from typing import Any

from sealtrain.rules import names, step_table, tables
from sealtrain.rules.settings import Settings

from cli.deploy.description import Resource
from cli.deploy.roles import bucket_name, key, repository

ROTATION = "2592000s"
EVIDENCE_RETENTION_S = 365 * 86_400
DEAD_LETTER_RETENTION = "604800s"
_HSM = "HSM"


def keys(settings: Settings) -> list[Resource]:
    """Four rings; the release ring is empty until runs make their keys on it."""
    words = ("release", "storage", "evidence", "owner")
    rings = [Resource("ring", names.key_ring(settings, word), {}) for word in words]
    labels = {"sealtrain-deployment": settings.deployment}
    cmek = {
        "purpose": "ENCRYPT_DECRYPT",
        "rotationPeriod": ROTATION,
        "versionTemplate": {"protectionLevel": _HSM, "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"},
        "labels": labels,
    }
    owner = {key: value for key, value in cmek.items() if key != "rotationPeriod"}
    signing = {
        "purpose": "ASYMMETRIC_SIGN",
        "versionTemplate": {"protectionLevel": _HSM, "algorithm": "EC_SIGN_P256_SHA256"},
        "destroyScheduledDuration": "2592000s",
        "labels": labels,
    }
    return [
        *rings,
        Resource("key", key(settings, "storage"), cmek),
        Resource("key", key(settings, "evidence"), cmek),
        Resource("key", key(settings, "bundle"), signing),
        Resource("key", key(settings, "sealing"), cmek),
        Resource("key", key(settings, "models"), owner),
        Resource("key", key(settings, "checkpoints"), cmek),
        Resource("key", key(settings, "datasets"), owner),
    ]


def buckets(settings: Settings) -> list[Resource]:
    """Inbox, state, evidence, models, and the source of the functions."""
    none: dict[str, Any] = {"softDeletePolicy": {"retentionDurationSeconds": "0"}}
    aborted = {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}
    forgotten = {"action": {"type": "Delete"}, "condition": {"age": 14, "matchesPrefix": ["checkpoints/"]}}
    own = {
        "inbox": {**none, "versioning": {"enabled": False}, "lifecycle": {"rule": [aborted]}},
        "state": {**none},
        "evidence": {"retentionPolicy": {"retentionPeriod": str(EVIDENCE_RETENTION_S)}},
        "models": {"lifecycle": {"rule": [aborted, forgotten]}},
        "source": {**none},
    }
    return [_bucket(settings, word, body) for word, body in own.items()]


def topics(settings: Settings) -> list[Resource]:
    """One topic per listener, and the dead letters."""
    words = [f.trigger.removeprefix("topic:") for f in step_table.LISTENERS if f.trigger.startswith("topic:")]
    body = {"labels": {"sealtrain-deployment": settings.deployment}}
    return [Resource("topic", names.topic(settings, word), body) for word in [*words, "dead-letters"]]


def dataset(settings: Settings, access: list[dict[str, str]]) -> list[Resource]:
    """The dataset with its readers and writers, and the tables of `rules.tables`."""
    full = f"projects/{settings.project}/datasets/{names.dataset(settings)}"
    body = {
        "location": settings.region,
        "defaultEncryptionConfiguration": {"kmsKeyName": names.storage_key(settings)},
        "labels": {"sealtrain-deployment": settings.deployment},
        "access": access,
    }
    made = [Resource("dataset", full, body)]
    for name, fields in tables.TABLES.items():
        schema = {"fields": [dict(field) for field in fields]}
        made.append(Resource("table", f"{full}/tables/{name}", {"schema": schema}))
    return made


def trainers(settings: Settings) -> Resource:
    """The repository that trainers' images are pushed to."""
    return Resource("repository", repository(settings), {"format": "DOCKER"})


def _bucket(settings: Settings, word: str, own: dict[str, Any]) -> Resource:
    body = {
        "location": settings.region.upper(),
        "labels": {"sealtrain-deployment": settings.deployment},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
        "encryption": {
            "defaultKmsKeyName": key(settings, "evidence" if word == "evidence" else "storage"),
            "googleManagedEncryptionEnforcementConfig": {"restrictionMode": "FullyRestricted"},
        },
    }
    return Resource("bucket", bucket_name(settings, word), {**body, **own})
