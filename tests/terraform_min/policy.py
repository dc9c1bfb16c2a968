"""What must hold of every deployment and no schema can say: each rule is a function from resources to
findings.

- A rule reads an applied state, so that names and members are whole.
- A finding says which resource, what was found and what is expected. No finding: the rule holds.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from localcloud.identity.iam import predefined_roles
from tests.terraform_min.offline.terraform import ROOT

Resource = dict[str, Any]
Rule = Callable[[list[Resource]], Iterator[str]]
RULES: list[Rule] = []

ENVIRONMENT = {
    f"SEALTRAIN_{word}"
    for word in (
        "PROJECT",
        "PROJECT_NUMBER",
        "REGION",
        "DEPLOYMENT",
        "TRAINER",
        "APPROVED_IMAGES",
        "ATTESTATION_ROOT",
    )
}

# Grants that the platform knows only for a whole project, each with the reason that it is not narrower.
PER_PROJECT = {
    "bigquery.jobs.create": "a query is a job of the project that asks, not of a dataset",
    "compute.": "a machine that is not made yet has no policy of its own",
    "confidentialcomputing.": "the attestation service has no resource to grant on",
    "eventarc.events.": "an event is received by the project",
    "pubsub.topics.publish": "Storage's agent publishes to a topic that Eventarc makes and names itself",
    "resourcemanager.": "comes with the predefined roles above",
    "storage.buckets.create": "a bucket that is not made yet has no policy of its own",
    "storage.buckets.list": "a listing is of the project",
    "storage.": "run buckets are made and removed by runs: narrowed to their name prefix by a condition",
    "workflows.": "Workflows has no policy per workflow",
}


# Roles of Google's that the stand-in's data does not have, since it imitates nothing of that service.
NOT_IN_THE_DATA = {"roles/dns.admin"}


def rule(function: Rule) -> Rule:
    """Put a rule on the list."""
    RULES.append(function)
    return function


def findings(resources: list[Resource]) -> list[str]:
    """What every rule found."""
    return [f"{one.__name__}: {told}" for one in RULES for told in one(resources)]


def of(resources: list[Resource], *types: str) -> list[Resource]:
    """The resources of some types."""
    return [one for one in resources if one["type"] in types]


def block(values: Resource, name: str) -> Resource:
    """A block of which there is at most one; {} for none."""
    return (values.get(name) or [{}])[0]


def members(resources: list[Resource]) -> list[Resource]:
    """Every grant."""
    return [one for one in resources if re.search(r"_iam_(member|binding|policy)$", one["type"])]


@rule
def nobody_is_everybody(resources: list[Resource]) -> Iterator[str]:
    """No grant to allUsers or allAuthenticatedUsers."""
    for one in members(resources):
        for member in [one["values"].get("member"), *(one["values"].get("members") or [])]:
            if str(member).startswith("all"):
                yield f"{one['address']}: member {member}, expected somebody with a name"


@rule
def roles_exist_and_are_not_basic(resources: list[Resource]) -> Iterator[str]:
    """Only Google's predefined roles, spelt as Google does, and our own custom ones."""
    custom = {one["values"]["name"] for one in of(resources, "google_project_iam_custom_role")}
    known = custom | set(predefined_roles()) | NOT_IN_THE_DATA
    for one in members(resources):
        role = one["values"].get("role")
        if role in ("roles/owner", "roles/editor", "roles/viewer"):
            yield f"{one['address']}: basic role {role}, expected a role for this one purpose"
        elif role not in known:
            yield f"{one['address']}: role {role}, expected one of Google's or ours"


@rule
def only_the_deployer_changes_grants(resources: list[Resource]) -> Iterator[str]:
    """No other account holds a role that may change a policy."""
    held = _permissions(resources)
    for one in members(resources):
        by_deployer = "-deployer@" in str(one["values"].get("member"))
        if not by_deployer and any(p.endswith("setIamPolicy") for p in held(one["values"].get("role"))):
            yield f"{one['address']}: {one['values']['role']} may change grants, expected only the deployer's"


@rule
def a_grant_on_the_project_is_on_the_list(resources: list[Resource]) -> Iterator[str]:
    """What could be narrower is; the deployer's are reviewed apart (deployer.tf)."""
    held = _permissions(resources)
    for one in of(resources, "google_project_iam_member", "google_project_iam_binding"):
        if one["name"] == "deployer":
            continue
        for permission in held(one["values"]["role"]):
            if not permission.startswith(tuple(PER_PROJECT)):
                yield f"{one['address']}: {permission} on the project, expected on the resource"
        narrow = {"storage.buckets.create", "storage.buckets.list"}
        storage = {p for p in held(one["values"]["role"]) if p.startswith("storage.")}
        if storage - narrow and not block(one["values"], "condition"):
            yield f"{one['address']}: {sorted(storage - narrow)} without a condition, expected a name prefix"


@rule
def nobody_writes_log_entries(resources: list[Resource]) -> Iterator[str]:
    """An alarm in a log tears a run down: it has to be the platform's word. Google's roles count, too.

    The deployer, who may make any grant, is reviewed apart (deployer.tf).
    """
    held = _permissions(resources)
    for one in members(resources):
        if one["name"] != "deployer" and "logging.logEntries.create" in held(one["values"]["role"]):
            told = f"{one['values']['member']} may write log entries by {one['values']['role']}"
            yield f"{one['address']}: {told}, expected nobody"


def held_on_the_project(resources: list[Resource]) -> set[str]:
    """Every permission that somebody but the deployer holds on the project."""
    held = _permissions(resources)
    grants = of(resources, "google_project_iam_member", "google_project_iam_binding")
    return {p for one in grants if one["name"] != "deployer" for p in held(one["values"]["role"])}


@rule
def an_account_has_a_fitting_name_and_no_key(resources: list[Resource]) -> Iterator[str]:
    """6 to 30 characters; keys of accounts leak."""
    for one in of(resources, "google_service_account"):
        account = one["values"]["account_id"]
        if not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account):
            yield f"{one['address']}: account id {account} ({len(account)}), expected 6 to 30 of a-z, 0-9, -"
    for one in of(resources, "google_service_account_key", "google_storage_hmac_key"):
        yield f"{one['address']}: a user-managed key, expected none"


@rule
def only_attested_members_decrypt_on_the_release_ring(resources: list[Resource]) -> Iterator[str]:
    """Nobody else, neither there nor by way of the project."""
    held = _permissions(resources)
    for one in of(resources, "google_kms_key_ring_iam_member", "google_project_iam_member"):
        on_release = "-release" in str(one["values"].get("key_ring_id", "-release"))
        decrypts = "cloudkms.cryptoKeyVersions.useToDecrypt" in held(one["values"]["role"])
        attested = "/attribute.image_digest/sha256:" in str(one["values"]["member"])
        if on_release and decrypts and not attested:
            yield f"{one['address']}: {one['values']['member']} decrypts, expected only attested members"


@rule
def keys_are_in_hardware_and_rotate(resources: list[Resource]) -> Iterator[str]:
    """HSM; symmetric keys of ours rotate within 90 days, the owner's does not."""
    for one in of(resources, "google_kms_crypto_key"):
        values = one["values"]
        if block(values, "version_template").get("protection_level") != "HSM":
            yield f"{one['address']}: no HSM"
        if values.get("purpose") == "ENCRYPT_DECRYPT" and one["name"] != "owner":
            period = re.fullmatch(r"(\d+)s", values.get("rotation_period") or "")
            if period is None or int(period.group(1)) > 90 * 86_400:
                yield f"{one['address']}: rotation {values.get('rotation_period')}, expected at most 7776000s"


@rule
def buckets_are_private_logged_and_under_our_key(resources: list[Resource]) -> Iterator[str]:
    """Uniform access, no public access, our key and nothing without it, access logs apart."""
    for one in of(resources, "google_storage_bucket"):
        values, encryption = one["values"], block(one["values"], "encryption")
        enforced = block(encryption, "google_managed_encryption_enforcement_config").get("restriction_mode")
        wanted = {
            "uniform_bucket_level_access": values.get("uniform_bucket_level_access") is True,
            "public_access_prevention": values.get("public_access_prevention") == "enforced",
            "encryption.default_kms_key_name": bool(encryption.get("default_kms_key_name")),
            "encryption enforcement": enforced == "FullyRestricted",
            "logging": one["name"] == "access_logs" or bool(block(values, "logging")),
        }
        yield from (
            f"{one['address']}: {name} is not as it has to be" for name, good in wanted.items() if not good
        )


# Type -> where its key is said, and whose service agent then uses the key.
CMEK: dict[str, tuple[Callable[[Resource], Any], str]] = {
    "google_artifact_registry_repository": (lambda v: v.get("kms_key_name"), "gcp-sa-artifactregistry."),
    "google_bigquery_dataset": (
        lambda v: block(v, "default_encryption_configuration").get("kms_key_name"),
        "bigquery-encryption.",
    ),
    "google_bigquery_table": (
        lambda v: block(v, "encryption_configuration").get("kms_key_name"),
        "bigquery-encryption.",
    ),
    "google_pubsub_topic": (lambda v: v.get("kms_key_name"), "gcp-sa-pubsub."),
    "google_storage_bucket": (
        lambda v: block(v, "encryption").get("default_kms_key_name"),
        "gs-project-accounts.",
    ),
    "google_workflows_workflow": (lambda v: v.get("crypto_key_name"), "gcp-sa-workflows."),
}


@rule
def what_rests_rests_under_our_key(resources: list[Resource]) -> Iterator[str]:
    """A key is named, and the service agent that uses it may."""
    may = {
        (one["values"]["crypto_key_id"], one["values"]["member"].partition("@")[2].split("iam.")[0])
        for one in of(resources, "google_kms_crypto_key_iam_member")
    }
    for one in of(resources, *CMEK):
        key, agent = CMEK[one["type"]][0](one["values"]), CMEK[one["type"]][1]
        if not key:
            yield f"{one['address']}: no key of ours"
        elif (key, agent) not in may:
            yield f"{one['address']}: the agent @{agent}… may not use {key}, expected a grant"


@rule
def a_machines_disk_key_may_be_used(resources: list[Resource]) -> Iterator[str]:
    """Runs make machines whose disks rest under each storage key."""
    granted = of(resources, "google_kms_crypto_key_iam_member")
    keys = [str(one["values"]["id"]) for one in of(resources, "google_kms_crypto_key")]
    for key in (one for one in keys if one.endswith("-storage/cryptoKeys/storage")):
        if not any(
            g["values"]["crypto_key_id"] == key and "@compute-system." in g["values"]["member"]
            for g in granted
        ):
            yield f"{key}: Compute Engine's agent may not use it, expected a grant"


@rule
def alerts_and_budgets_reach_somebody(resources: list[Resource]) -> Iterator[str]:
    """A policy or budget without a channel is seen by nobody; a budget pauses its deployment, too."""
    for one in of(resources, "google_monitoring_alert_policy"):
        if not one["values"].get("notification_channels"):
            yield f"{one['address']}: no channel"
    for one in of(resources, "google_billing_budget"):
        told = block(one["values"], "all_updates_rule")
        if not told.get("monitoring_notification_channels"):
            yield f"{one['address']}: nobody is told"
        if not str(told.get("pubsub_topic")).endswith("-budget-alerts"):
            yield f"{one['address']}: told to {told.get('pubsub_topic')}, expected guard_budget's topic"


@rule
def functions_are_those_of_the_archive(resources: list[Resource]) -> Iterator[str]:
    """Each entry point exists in main.py and each of main.py is deployed, with its own account."""
    tree = ast.parse((ROOT / "functions" / "main.py").read_text())
    names = (t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets)
    there = {t.id for t in names if isinstance(t, ast.Name)}
    by_place: dict[str, set[str]] = {}
    accounts: list[str] = []
    for one in of(resources, "google_cloudfunctions2_function"):
        entry = block(one["values"], "build_config")["entry_point"]
        by_place.setdefault(one["values"]["location"], set()).add(entry)
        accounts.append(block(one["values"], "service_config").get("service_account_email", ""))
        if entry.replace("_", "-") != one["values"]["name"]:
            yield f"{one['address']}: entry point {entry}, expected {one['values']['name'].replace('-', '_')}"
    for place, entries in by_place.items():
        if entries != there:
            yield f"{place}: entry points differ from functions/main.py: {sorted(entries ^ there)}"
    if len(set(accounts)) != len(accounts) or "" in accounts:
        yield "two functions share an account, or one has none"


@rule
def functions_have_their_settings_and_no_others(resources: list[Resource]) -> Iterator[str]:
    """No address of a stand-in, no emulator, nothing that the settings do not know."""
    for one in of(resources, "google_cloudfunctions2_function"):
        said = set(block(one["values"], "service_config").get("environment_variables") or {})
        if said != ENVIRONMENT:
            yield f"{one['address']}: variables {sorted(said ^ ENVIRONMENT)} too many or too few"


@rule
def the_brakes_are_on(resources: list[Resource]) -> Iterator[str]:
    """Functions end and do not multiply; what outlives its run is looked for in every region."""
    for one in of(resources, "google_cloudfunctions2_function"):
        service = block(one["values"], "service_config")
        if not 0 < (service.get("timeout_seconds") or 0) <= 540:
            yield f"{one['address']}: timeout {service.get('timeout_seconds')}, expected 1 to 540 s"
        if not 0 < (service.get("max_instance_count") or 0) <= 100:
            yield f"{one['address']}: instances {service.get('max_instance_count')}, expected a limit"
    places = {one["values"]["location"] for one in of(resources, "google_cloudfunctions2_function")}
    swept = {
        one["values"]["region"]
        for one in of(resources, "google_cloud_scheduler_job")
        if block(one["values"], "pubsub_target")["topic_name"].endswith("-sweep-requests")
    }
    yield from (f"{place}: nobody sweeps" for place in sorted(places - swept))


@rule
def every_topic_is_read_and_every_push_is_safe(resources: list[Resource]) -> Iterator[str]:
    """A topic that nobody reads loses its messages; a push says who it is and gives up somewhere."""
    read = {one["values"]["topic"] for one in of(resources, "google_pubsub_subscription")}
    for one in of(resources, "google_pubsub_topic"):
        if one["values"]["id"] not in read:
            yield f"{one['address']}: nobody reads {one['values']['name']}"
    for one in of(resources, "google_pubsub_subscription"):
        push = block(one["values"], "push_config")
        if push and not block(push, "oidc_token").get("audience"):
            yield f"{one['address']}: pushes without an identity"
        if push and not block(one["values"], "dead_letter_policy"):
            yield f"{one['address']}: never gives up"


@rule
def machines_reach_google_alone(resources: list[Resource]) -> Iterator[str]:
    """Private access on, one way out, no way in, no default routes."""
    for one in of(resources, "google_compute_network"):
        if one["values"].get("delete_default_routes_on_create") is not True:
            yield f"{one['address']}: default routes stay"
    for one in of(resources, "google_compute_subnetwork"):
        if one["values"].get("private_ip_google_access") is not True:
            yield f"{one['address']}: no private way to Google"
    for one in of(resources, "google_compute_firewall"):
        values = one["values"]
        ranges = values.get("destination_ranges") or values.get("source_ranges") or []
        if values.get("allow") and ranges != ["199.36.153.8/30"]:
            yield f"{one['address']}: allows {ranges}, expected Google's private range alone"


def _permissions(resources: list[Resource]) -> Callable[[Any], frozenset[str]]:
    custom = {
        one["values"]["name"]: frozenset(one["values"]["permissions"])
        for one in of(resources, "google_project_iam_custom_role")
    }
    return lambda role: custom.get(role) or predefined_roles().get(role, frozenset())
