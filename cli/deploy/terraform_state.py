"""Reads a deployment from Terraform's state: what `sealtrain up` then makes on the stand-in.

- Each resource becomes what Google's API is told, so that the stand-in and Terraform deploy the same thing.
- A type that is neither translated nor listed as not imitated is refused: nothing is left out unseen.
- Grants on one resource stay apart; their reasons are Terraform's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cli.deploy.description import Audit, Grant, Kind, Resource, World
from cli.deploy.terraform_bodies import TRANSLATED, Values
from cli.errors import CommandError

NOT_IMITATED = {
    "google_billing_budget": "the stand-in bills nobody",
    "google_compute_firewall": "a machine of the stand-in has no network of its own",
    "google_compute_network": "a machine of the stand-in has no network of its own",
    "google_compute_route": "a machine of the stand-in has no network of its own",
    "google_compute_subnetwork": "a machine of the stand-in has no network of its own",
    "google_dns_managed_zone": "a machine of the stand-in has no network of its own",
    "google_dns_record_set": "a machine of the stand-in has no network of its own",
    "google_monitoring_alert_policy": "the stand-in watches no metrics",
    "google_monitoring_notification_channel": "the stand-in writes to nobody",
    "google_project_service": "the stand-in's APIs are always on",
    "google_storage_bucket_object": "the archive is uploaded by whoever deploys",
    "terraform_data": "grants on the stand-in hold at once",
}
_ORDER: tuple[Kind, ...] = (
    "account",
    "role",
    "pool",
    "provider",
    "ring",
    "key",
    "bucket",
    "topic",
    "dataset",
    "table",
    "repository",
    "function",
    "workflow",
    "subscription",
    "job",
    "sink",
)
_REASONS = {
    "agent": "Google's service agent encrypts at rest with our key",
    "storage_agent": "evidence rests under a key of its own",
    "access_logs": "Cloud Storage delivers access logs as this group",
}


def world(state: Values) -> World:
    """The deployment in a state, as `terraform show -json` tells it.

    Raises CommandError for a type that is neither translated nor listed.
    """
    found = list(_resources(state["values"]["root_module"]))
    values = {key: [one["values"] for one in found if one["type"] == key] for key in TRANSLATED}
    reasons = _told_reasons(state)
    writers = {one["writer_identity"]: one["name"] for one in values["google_logging_project_sink"]}
    grants: list[Grant] = []
    resources: list[Resource] = []
    audits: list[Audit] = []
    for one in found:
        kind = one["type"]
        if kind in TRANSLATED:
            resources.append(TRANSLATED[kind](one["values"]))
        elif kind in _GRANTED:
            grants.append(_grant(one, reasons, writers))
        elif kind == "google_project_iam_audit_config":
            audits.append(_audit(one["values"]))
        elif kind not in NOT_IMITATED:
            raise CommandError(
                "Terraform makes something that the stand-in's description does not know",
                field=one["address"],
                remedy="translate it in cli/deploy/terraform_state.py, or list why it is not imitated",
            )
    provider = next(one for one in resources if one.kind == "ring").name.split("/")
    return World(
        project=provider[1],
        region=provider[3],
        resources=tuple(
            _with_access(r, grants) for r in sorted(resources, key=lambda r: (_ORDER.index(r.kind), r.name))
        ),
        grants=tuple(sorted(grants, key=lambda g: (g.on, g.role, g.member, g.condition))),
        audits=tuple(sorted(audits, key=lambda audit: audit.service)),
    )


def _resources(module: Values) -> Iterator[Values]:
    yield from (one for one in module.get("resources", []) if one["mode"] == "managed")
    for child in module.get("child_modules", []):
        yield from _resources(child)


def _told_reasons(state: Values) -> dict[str, str]:
    told: Mapping[str, Mapping[str, Values]] = state["values"]["outputs"]["grants"]["value"]
    return {name: grant["reason"] for region in told.values() for name, grant in region.items()}


def _grant(one: Values, reasons: Mapping[str, str], writers: Mapping[str, str]) -> Grant:
    values, word = one["values"], one["name"]
    conditions = values.get("condition") or [{"expression": ""}]
    writer = writers.get(values["member"])
    return Grant(
        on=_GRANTED[one["type"]](values),
        role=values["role"],
        member=f"writer-of:{writer}" if writer else values["member"],
        reason=reasons[one["index"]] if word == "grant" else _REASONS[word],
        condition=conditions[0]["expression"],
    )


def _audit(values: Values) -> Audit:
    kinds = tuple(sorted(one["log_type"] for one in values["audit_log_config"]))
    return Audit(service=values["service"], log_types=kinds, reason="who used it is on record")


def _with_access(resource: Resource, grants: list[Grant]) -> Resource:
    """A dataset's grants stand in its own access list, as the API keeps them."""
    if resource.kind != "dataset":
        return resource
    access = sorted((grant.role, grant.member) for grant in grants if grant.on == resource.name)
    entries = [{"role": role, "iamMember": member} for role, member in access]
    return Resource("dataset", resource.name, {**resource.body, "access": entries})


_GRANTED: dict[str, Callable[[Values], str]] = {
    "google_artifact_registry_repository_iam_member": lambda v: (
        f"projects/{v['project']}/locations/{v['location']}/repositories/{v['repository']}"
    ),
    "google_bigquery_dataset_iam_member": lambda v: f"projects/{v['project']}/datasets/{v['dataset_id']}",
    "google_cloud_run_v2_service_iam_member": lambda v: (
        f"projects/{v['project']}/locations/{v['location']}/services/{v['name']}"
    ),
    "google_kms_crypto_key_iam_member": lambda v: str(v["crypto_key_id"]),
    "google_kms_key_ring_iam_member": lambda v: str(v["key_ring_id"]),
    "google_project_iam_member": lambda v: f"projects/{v['project']}",
    "google_pubsub_subscription_iam_member": lambda v: (
        f"projects/{v['project']}/subscriptions/{v['subscription']}"
    ),
    "google_pubsub_topic_iam_member": lambda v: f"projects/{v['project']}/topics/{v['topic']}",
    "google_service_account_iam_member": lambda v: str(v["service_account_id"]),
    "google_storage_bucket_iam_member": lambda v: f"projects/_/buckets/{v['bucket']}",
}
