"""What Google's APIs are told of a resource that Terraform's state holds, type by type.

- Only what the files say goes over; what Google decides is left to Google, or to the stand-in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cli.deploy.description import Resource

Values = dict[str, Any]


def _said(**fields: Any) -> Values:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _block(values: Values, name: str) -> Values:
    """A block of which there is at most one."""
    return dict((values.get(name) or [{}])[0])


def _account(v: Values) -> Resource:
    return Resource("account", v["name"], _said(displayName=v["display_name"], description=v["description"]))


def _role(v: Values) -> Resource:
    body = _said(title=v["title"], stage=v["stage"], includedPermissions=sorted(v["permissions"]))
    return Resource("role", v["name"], body)


def _ring(v: Values) -> Resource:
    return Resource("ring", v["id"], {})


def _key(v: Values) -> Resource:
    template = _block(v, "version_template")
    body = _said(
        purpose=v["purpose"],
        rotationPeriod=v["rotation_period"],
        destroyScheduledDuration=v["destroy_scheduled_duration"],
        versionTemplate=_said(algorithm=template["algorithm"], protectionLevel=template["protection_level"]),
        labels=v["labels"],
    )
    return Resource("key", v["id"], body)


def _pool(v: Values) -> Resource:
    return Resource("pool", v["name"], _said(displayName=v["display_name"]))


def _provider(v: Values) -> Resource:
    oidc = _block(v, "oidc")
    body = {
        "oidc": {"issuerUri": oidc["issuer_uri"], "allowedAudiences": oidc["allowed_audiences"]},
        "attributeMapping": v["attribute_mapping"],
        "attributeCondition": v["attribute_condition"],
    }
    return Resource("provider", v["name"], body)


def _bucket(v: Values) -> Resource:
    encryption, retention = _block(v, "encryption"), _block(v, "retention_policy")
    enforced = _block(encryption, "google_managed_encryption_enforcement_config")
    soft, log = _block(v, "soft_delete_policy"), _block(v, "logging")
    rules = [
        {
            "action": _said(type=_block(rule, "action")["type"]),
            "condition": _said(age=_block(rule, "condition")["age"]),
        }
        for rule in v.get("lifecycle_rule") or []
    ]
    body: Values = {
        "location": v["location"],
        "labels": v["labels"],
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": v["uniform_bucket_level_access"]},
            "publicAccessPrevention": v["public_access_prevention"],
        },
        "encryption": {
            "defaultKmsKeyName": encryption["default_kms_key_name"],
            "googleManagedEncryptionEnforcementConfig": {"restrictionMode": enforced["restriction_mode"]},
        },
    }
    if log:
        body["logging"] = {"logBucket": log["log_bucket"], "logObjectPrefix": log["log_object_prefix"]}
    if soft:
        body["softDeletePolicy"] = {"retentionDurationSeconds": str(soft["retention_duration_seconds"])}
    if v.get("versioning"):
        body["versioning"] = {"enabled": _block(v, "versioning")["enabled"]}
    if retention:
        body["retentionPolicy"] = {"retentionPeriod": str(retention["retention_period"])}
    if rules:
        body["lifecycle"] = {"rule": rules}
    return Resource("bucket", v["name"], body)


def _topic(v: Values) -> Resource:
    regions = _block(v, "message_storage_policy")["allowed_persistence_regions"]
    body = _said(
        kmsKeyName=v["kms_key_name"],
        labels=v["labels"],
        messageStoragePolicy={"allowedPersistenceRegions": regions},
    )
    return Resource("topic", v["id"], body)


def _subscription(v: Values) -> Resource:
    push, dead, retry = _block(v, "push_config"), _block(v, "dead_letter_policy"), _block(v, "retry_policy")
    oidc = _block(push, "oidc_token")
    body = _said(
        topic=v["topic"],
        labels=v["labels"],
        ackDeadlineSeconds=v["ack_deadline_seconds"],
        messageRetentionDuration=v["message_retention_duration"],
        retryPolicy=_said(
            minimumBackoff=retry.get("minimum_backoff"), maximumBackoff=retry.get("maximum_backoff")
        ),
        deadLetterPolicy=_said(
            deadLetterTopic=dead.get("dead_letter_topic"),
            maxDeliveryAttempts=dead.get("max_delivery_attempts"),
        ),
    )
    if push:
        token = {"serviceAccountEmail": oidc["service_account_email"], "audience": oidc["audience"]}
        body["pushConfig"] = {"pushEndpoint": push["push_endpoint"], "oidcToken": token}
    if _block(v, "expiration_policy").get("ttl") == "":
        body["expirationPolicy"] = {}  # never
    return Resource("subscription", v["id"], body)


def _dataset(v: Values) -> Resource:
    key = _block(v, "default_encryption_configuration")["kms_key_name"]
    body = {
        "location": v["location"],
        "defaultEncryptionConfiguration": {"kmsKeyName": key},
        "labels": v["labels"],
    }
    return Resource("dataset", f"projects/{v['project']}/datasets/{v['dataset_id']}", body)


def _table(v: Values) -> Resource:
    name = f"projects/{v['project']}/datasets/{v['dataset_id']}/tables/{v['table_id']}"
    key = _block(v, "encryption_configuration")["kms_key_name"]
    body = {
        "schema": {"fields": json.loads(v["schema"])},
        "labels": v["labels"],
        "encryptionConfiguration": {"kmsKeyName": key},
    }
    return Resource("table", name, body)


def _repository(v: Values) -> Resource:
    return Resource(
        "repository", v["id"], _said(format=v["format"], kmsKeyName=v["kms_key_name"], labels=v["labels"])
    )


def _function(v: Values) -> Resource:
    build, service, event = (
        _block(v, "build_config"),
        _block(v, "service_config"),
        _block(v, "event_trigger"),
    )
    source = _block(_block(build, "source"), "storage_source")
    body: Values = {
        "labels": v["labels"],
        "buildConfig": {
            "runtime": build["runtime"],
            "entryPoint": build["entry_point"],
            "serviceAccount": build["service_account"],
            "dockerRepository": build["docker_repository"],
            "source": {"storageSource": {"bucket": source["bucket"], "object": source["object"]}},
        },
        "serviceConfig": {
            "availableMemory": service["available_memory"],
            "timeoutSeconds": service["timeout_seconds"],
            "maxInstanceCount": service["max_instance_count"],
            "serviceAccountEmail": service["service_account_email"],
            "ingressSettings": service["ingress_settings"],
            "environmentVariables": service["environment_variables"],
        },
    }
    if event:
        body["eventTrigger"] = {
            "eventType": event["event_type"],
            "eventFilters": [
                {"attribute": one["attribute"], "value": one["value"]} for one in event["event_filters"]
            ],
            "triggerRegion": event["trigger_region"],
            "serviceAccountEmail": event["service_account_email"],
            "retryPolicy": event["retry_policy"],
        }
    return Resource("function", v["id"], body)


def _workflow(v: Values) -> Resource:
    body = _said(
        sourceContents=v["source_contents"],
        serviceAccount=v["service_account"],
        cryptoKeyName=v["crypto_key_name"],
        callLogLevel=v["call_log_level"],
        labels=v["labels"],
    )
    return Resource("workflow", v["id"], body)


def _job(v: Values) -> Resource:
    target = _block(v, "pubsub_target")
    body = {
        "schedule": v["schedule"],
        "timeZone": v["time_zone"],
        "pubsubTarget": {"topicName": target["topic_name"], "data": target["data"]},
    }
    return Resource("job", f"projects/{v['project']}/locations/{v['region']}/jobs/{v['name']}", body)


def _sink(v: Values) -> Resource:
    body = _said(destination=v["destination"], filter=v["filter"])
    return Resource("sink", f"projects/{v['project']}/sinks/{v['name']}", body)


TRANSLATED: dict[str, Callable[[Values], Resource]] = {
    "google_artifact_registry_repository": _repository,
    "google_bigquery_dataset": _dataset,
    "google_bigquery_table": _table,
    "google_cloud_scheduler_job": _job,
    "google_cloudfunctions2_function": _function,
    "google_iam_workload_identity_pool": _pool,
    "google_iam_workload_identity_pool_provider": _provider,
    "google_kms_crypto_key": _key,
    "google_kms_key_ring": _ring,
    "google_logging_project_sink": _sink,
    "google_project_iam_custom_role": _role,
    "google_pubsub_subscription": _subscription,
    "google_pubsub_topic": _topic,
    "google_service_account": _account,
    "google_storage_bucket": _bucket,
    "google_workflows_workflow": _workflow,
}
