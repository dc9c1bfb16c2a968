"""The command that mends one thing: Google's own where one does it, otherwise the deployment again.

- Commands name the resource and are ready to paste; nothing here runs one.
- On the stand-in the same command is told, since the same call would mend it; `sealtrain up` makes it so
  there. What `up` does not describe (an object) is mended there by a call of the API, with curl.
"""

from __future__ import annotations

import shlex
from urllib.parse import quote

from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.called import called
from cli.deploy.description import Grant, Resource
from cli.errors import CloudError

_GRANT = {
    "keyRings": "gcloud kms keyrings {verb}-iam-policy-binding {short} --location {region}",
    "topics": "gcloud pubsub topics {verb}-iam-policy-binding {short}",
    "subscriptions": "gcloud pubsub subscriptions {verb}-iam-policy-binding {short}",
    "serviceAccounts": "gcloud iam service-accounts {verb}-iam-policy-binding {short}",
    "services": "gcloud run services {verb}-iam-policy-binding {short} --region {region}",
    "repositories": "gcloud artifacts repositories {verb}-iam-policy-binding {short} --location {region}",
    "buckets": "gcloud storage buckets {verb}-iam-policy-binding gs://{short}",
    "projects": "gcloud projects {verb}-iam-policy-binding {short}",
}


def to_see(name: str, error: CloudError, settings: Settings) -> str:
    """What lets one see what an API did not answer."""
    if error.status == 403:
        return f"have somebody with roles/viewer on {settings.project} run this"
    here = f"nothing here: the stand-in does not imitate {name}"
    return here if error.status == 501 else "look at it in the console"


def again(settings: Settings) -> str:
    """Deploy again: it changes only what differs."""
    if settings.endpoint:
        return f"{called()} up"
    return f"scripts/deploy.sh {settings.project} --region {settings.region}"


def remove_object(settings: Settings, bucket: str, name: str) -> str:
    """Remove one object, which no deployment describes."""
    if settings.endpoint:
        return f"curl -X DELETE {settings.endpoint}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    return f"gcloud storage rm {names.gs(bucket, name)}"


def make_agent(settings: Settings, member: str) -> str:
    """Have Google make one of its service agents, which it otherwise does at the first use."""
    service = member.partition("@")[2].partition(".")[0].removeprefix("gcp-sa-")
    identity = f"gcloud beta services identity create --project {settings.project}"
    return {
        "bigquery-encryption": f"bq --project_id {settings.project} show --encryption_service_account",
        "compute-system": f"gcloud services enable compute.googleapis.com --project {settings.project}",
        "gs-project-accounts": f"gcloud storage service-agent --project {settings.project}",
    }.get(service, f"{identity} --service {service}.googleapis.com")


def grant(settings: Settings, wanted: Grant, verb: str = "add") -> str:
    """Give one grant, or with `remove` take it away."""
    parts = wanted.on.split("/")
    if parts[-2] == "cryptoKeys":
        at = f"--keyring {parts[-3]} --location {parts[3]}"
        where = f"gcloud kms keys {verb}-iam-policy-binding {parts[-1]} {at}"
    elif parts[-2] in _GRANT:
        where = _GRANT[parts[-2]].format(verb=verb, short=parts[-1], region=settings.region)
    else:
        return again(settings)
    condition = (
        f" --condition {shlex.quote(f'expression={wanted.condition},title=sealtrain')}"
        if wanted.condition
        else ""
    )
    project = "" if parts[-2] in ("projects", "buckets") else f" --project {settings.project}"
    return f"{where} --member {shlex.quote(wanted.member)} --role {wanted.role}{condition}{project}"


def difference(settings: Settings, resource: Resource, field: str) -> str:
    """Set one field of a resource to what the description says."""
    short, body = resource.name.rpartition("/")[2], resource.body
    at = f"--location {settings.region} --project {settings.project}"
    commands = {
        ("bucket", "encryption"): lambda: (
            f"gcloud storage buckets update gs://{short} "
            f"--default-encryption-key {body['encryption']['defaultKmsKeyName']}"
        ),
        ("bucket", "iamConfiguration"): lambda: (
            f"gcloud storage buckets update gs://{short} "
            "--uniform-bucket-level-access --public-access-prevention"
        ),
        ("bucket", "retentionPolicy"): lambda: (
            f"gcloud storage buckets update gs://{short} "
            f"--retention-period {body['retentionPolicy']['retentionPeriod']}s"
        ),
        ("bucket", "versioning"): lambda: f"gcloud storage buckets update gs://{short} --no-versioning",
        ("key", "rotationPeriod"): lambda: (
            f"gcloud kms keys update {short} --keyring {resource.name.split('/')[-3]} "
            f"--rotation-period {body['rotationPeriod']} {at}"
        ),
        ("sink", "filter"): lambda: (
            f"gcloud logging sinks update {short} --log-filter {shlex.quote(body['filter'])} "
            f"--project {settings.project}"
        ),
        ("provider", "attributeCondition"): lambda: (
            f"gcloud iam workload-identity-pools providers update-oidc {short} --location global "
            f"--workload-identity-pool {resource.name.split('/')[-3]} --project {settings.project} "
            f"--attribute-condition {shlex.quote(body['attributeCondition'])}"
        ),
        ("subscription", "deadLetterPolicy"): lambda: (
            f"gcloud pubsub subscriptions update {short} --project {settings.project} "
            f"--dead-letter-topic {body['deadLetterPolicy']['deadLetterTopic']} "
            f"--max-delivery-attempts {body['deadLetterPolicy']['maxDeliveryAttempts']}"
        ),
        ("subscription", "pushConfig"): lambda: (
            f"gcloud pubsub subscriptions update {short} --project {settings.project} "
            f"--push-endpoint {body['pushConfig']['pushEndpoint']} "
            f"--push-auth-service-account {body['pushConfig']['oidcToken']['serviceAccountEmail']}"
        ),
        ("job", "schedule"): lambda: (
            f"gcloud scheduler jobs update pubsub {short} --schedule {shlex.quote(body['schedule'])} {at}"
        ),
    }
    command = commands.get((resource.kind, field))
    return command() if command else again(settings)


def state(settings: Settings, resource: Resource, version: str = "") -> str:
    """Put a resource that was switched off back to work."""
    short = resource.name.rpartition("/")[2]
    at = f"--location {settings.region} --project {settings.project}"
    return {
        "account": f"gcloud iam service-accounts enable {short} --project {settings.project}",
        "job": f"gcloud scheduler jobs resume {short} {at}",
        "key": f"gcloud kms keys versions enable {version.rpartition('/')[2]} --key {short} "
        f"--keyring {resource.name.split('/')[-3]} {at}",
        "sink": f"gcloud logging sinks update {short} --no-disabled --project {settings.project}",
    }.get(resource.kind, again(settings))
