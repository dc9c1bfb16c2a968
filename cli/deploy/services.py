"""What runs: functions, workflows, push subscriptions, schedules, the log sink, the pool of attested VMs.

- Entry point, memory, timeout and callers of a function come from the step table; its account is its own.
- Every subscription pushes with an OIDC identity, retries with growing pauses, and gives up into the dead
  letters, which are kept for a week for somebody to look at.
- The pool's condition is written from the policy; nothing is repeated here.
"""

from __future__ import annotations

from typing import Any

from sealtrain.rules import names, step_table
from sealtrain.rules.evidence import policy
from sealtrain.rules.settings import Settings

from cli.deploy.description import Parts, Resource
from cli.deploy.places import DEAD_LETTER_RETENTION
from cli.deploy.roles import bucket_name

RUNTIME = "python311"
TRIGGER_TYPE = "google.cloud.storage.object.v1.finalized"
SWEEP_SCHEDULE = "*/15 * * * *"
REPORT_SCHEDULE = "0 6 * * *"
MOST_DELIVERIES = 30
LONGEST_ACK_S = 600


def functions(settings: Settings, parts: Parts) -> list[Resource]:
    """Every function of the step table, all from the one archive."""
    return [_function(settings, parts, row) for row in step_table.FUNCTIONS]


def workflows(settings: Settings, parts: Parts) -> list[Resource]:
    """The workflows, under the workflow account."""
    made = []
    for name, source in sorted(parts.workflows.items()):
        body = {
            "sourceContents": source,
            "serviceAccount": names.service_account(settings, "workflow"),
            "callLogLevel": "LOG_ERRORS_ONLY",
            "labels": {"sealtrain-deployment": settings.deployment},
        }
        made.append(Resource("workflow", names.workflow(settings, name), body))
    return made


def subscriptions(settings: Settings) -> list[Resource]:
    """One push subscription per listener on a topic, and a pull subscription that keeps the dead letters."""
    made = []
    for row in step_table.LISTENERS:
        if row.trigger.startswith("topic:"):
            word = row.trigger.removeprefix("topic:")
            name, body = names.subscription(settings, word), _push(settings, row, word)
            made.append(Resource("subscription", name, body))
    kept = {
        "topic": names.topic(settings, "dead-letters"),
        "messageRetentionDuration": DEAD_LETTER_RETENTION,
        "expirationPolicy": {},
    }
    name = f"projects/{settings.project}/subscriptions/{settings.deployment}-dead-letters-kept"
    return [*made, Resource("subscription", name, kept)]


def schedules(settings: Settings) -> list[Resource]:
    """The sweep and the daily report, each a message to a topic."""
    asked = {"sweep-requests": SWEEP_SCHEDULE, "report-requests": REPORT_SCHEDULE}
    made = []
    for word, schedule in asked.items():
        name = f"projects/{settings.project}/locations/{settings.region}/jobs/{settings.deployment}-{word}"
        body = {
            "schedule": schedule,
            "timeZone": "Etc/UTC",
            "pubsubTarget": {"topicName": names.topic(settings, word), "data": "e30="},  # {}
        }
        made.append(Resource("job", name, body))
    return made


def sink(settings: Settings) -> Resource:
    """What tells of attestation, boot integrity and key uses, to the topic that record_attestation reads."""
    logs = f"projects/{settings.project}/logs"
    ring = names.key_ring(settings, "release").partition("/locations/")[2].partition("/")[2]
    wanted = (
        'protoPayload.serviceName="confidentialcomputing.googleapis.com"',
        f'logName="{logs}/compute.googleapis.com%2Fshielded_vm_integrity"',
        f'(protoPayload.serviceName="cloudkms.googleapis.com" AND protoPayload.resourceName:"{ring}/")',
    )
    body = {
        "destination": f"pubsub.googleapis.com/{names.topic(settings, 'attestation-logs')}",
        "filter": " OR ".join(wanted),
    }
    return Resource("sink", f"projects/{settings.project}/sinks/attestation-logs", body)


def pool(settings: Settings) -> list[Resource]:
    """The pool of attested workloads and its provider, with the policy's condition."""
    rules, name = policy.load(), names.pool(settings)
    provider = {
        "oidc": {"issuerUri": rules.issuer("google").iss, "allowedAudiences": [names.sts_audience(settings)]},
        "attributeMapping": policy.attribute_mapping(),
        "attributeCondition": policy.to_cel(rules, settings),
    }
    return [
        Resource("pool", name, {"displayName": f"{settings.deployment} attested"}),
        Resource("provider", f"{name}/providers/{names.POOL_PROVIDER}", provider),
    ]


def _function(settings: Settings, parts: Parts, row: step_table.Function) -> Resource:
    source = {"bucket": bucket_name(settings, "source"), "object": parts.archive}
    body: dict[str, Any] = {
        "labels": {"sealtrain-deployment": settings.deployment},
        "buildConfig": {
            "runtime": RUNTIME,
            "entryPoint": row.name,
            "source": {"storageSource": source},
        },
        "serviceConfig": {
            "availableMemory": f"{row.memory_mib}Mi",
            "timeoutSeconds": row.timeout_s,
            "serviceAccountEmail": names.service_account(settings, row.name),
            "ingressSettings": "ALLOW_ALL" if "workflow" in row.invokers else "ALLOW_INTERNAL_ONLY",
            "environmentVariables": parts.environment,
        },
    }
    if row.trigger.startswith("bucket:"):
        watched = bucket_name(settings, row.trigger.removeprefix("bucket:"))
        body["eventTrigger"] = {
            "eventType": TRIGGER_TYPE,
            "eventFilters": [{"attribute": "bucket", "value": watched}],
            "triggerRegion": settings.region,
            "serviceAccountEmail": names.service_account(settings, "push"),
            "retryPolicy": "RETRY_POLICY_RETRY",
        }
    location = f"projects/{settings.project}/locations/{settings.region}"
    return Resource("function", f"{location}/functions/{names.hyphened(row.name)}", body)


def _push(settings: Settings, row: step_table.Function, word: str) -> dict[str, Any]:
    url = names.function_url(settings, row.name)
    return {
        "topic": names.topic(settings, word),
        "ackDeadlineSeconds": min(max(row.timeout_s, 10), LONGEST_ACK_S),
        "pushConfig": {
            "pushEndpoint": url,
            "oidcToken": {
                "serviceAccountEmail": names.service_account(settings, "push"),
                "audience": url,
            },
        },
        "retryPolicy": {"minimumBackoff": "1s", "maximumBackoff": "600s"},
        "deadLetterPolicy": {
            "deadLetterTopic": names.topic(settings, "dead-letters"),
            "maxDeliveryAttempts": MOST_DELIVERIES,
        },
        "expirationPolicy": {},
    }
