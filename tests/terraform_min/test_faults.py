"""Planted faults, each caught: by `validate`, or by a rule over what would be applied.

- One copy takes all faults of a kind at once; each has to be told by its own message, so none hides another.
- A fault whose text is no longer in the files fails: an edit that edits nothing would prove nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terraform_min.conftest import EMAILS
from tests.terraform_min.offline.terraform import Terraform, resources
from tests.terraform_min.policy import findings

# name: (file, what stands there, what is put there, what has to be told)
INVALID = {
    "unknown attribute": (
        "region/topics.tf",
        "kms_key_name =",
        "kms_key_nam  =",
        'An argument named "kms_key_nam" is not expected here',
    ),
    "wrong type": (
        "region/buckets.tf",
        "uniform_bucket_level_access = true",
        "uniform_bucket_level_access = [true]",
        'Inappropriate value for attribute "uniform_bucket_level_access"',
    ),
    "missing argument": (
        "region/registry.tf",
        '  format        = "DOCKER"\n',
        "",
        'The argument "format" is required',
    ),
    "bad enum": (
        "region/workflows.tf",
        "LOG_ERRORS_ONLY",
        "LOG_SOME",
        "expected call_log_level to be one of",
    ),
    "value that Google decides": (
        "region/network.tf",
        "auto_create_subnetworks         = false",
        'auto_create_subnetworks         = false\n  network_id = "1"',
        "network_id is decided by Google Cloud",
    ),
}

WRONG = {
    "allUsers": (
        "region/iam.tf",
        "name     = google_cloudfunctions2_function.function[each.value.word].name\n  role     = each.value.role\n"
        "  member   = each.value.member",
        "name     = google_cloudfunctions2_function.function[each.value.word].name\n  role     = each.value.role\n"
        '  member   = each.key == "push calls sweep" ? "allUsers" : each.value.member',
        "nobody_is_everybody: ",
    ),
    "basic role": (
        "region/grants.tf",
        'role = "roles/artifactregistry.writer"',
        'role = "roles/editor"',
        "basic role roles/editor",
    ),
    "log entries": (
        "region/grants.tf",
        'role = "workload.attestation"',
        'role = "roles/confidentialcomputing.workloadUser"',
        "sealtrain-workload@placeholder-project.iam.gserviceaccount.com may write log entries",
    ),
    "misspelt role": (
        "region/grants.tf",
        'role = "roles/eventarc.eventReceiver"',
        'role = "roles/eventarc.eventsReceiver"',
        "role roles/eventarc.eventsReceiver, expected one of Google's or ours",
    ),
    "role that changes grants": (
        "region/grants.tf",
        'role = "roles/artifactregistry.reader"',
        'role = "roles/artifactregistry.admin"',
        "only_the_deployer_changes_grants: ",
    ),
    "decrypting without attestation": (
        "region/grants.tf",
        'on = "key:models", role = "cloudkms.cryptoKeyVersions.useToEncrypt"',
        'on = "ring:release", role = "cloudkms.cryptoKeyVersions.useToDecrypt"',
        "decrypts, expected only attested members",
    ),
    "short account id": (
        "deployer.tf",
        'account_id   = "${var.deployment}-deployer"',
        'account_id   = "depl"',
        "account id depl (4), expected 6 to 30",
    ),
    "missing brake": (
        "region/schedules.tf",
        "    sweep-requests  = var.sweep_schedule\n",
        "",
        "the_brakes_are_on: us-central1: nobody sweeps",
    ),
    "unlimited instances": (
        "region/functions.tf",
        "max_instance_count    = 20",
        "max_instance_count    = null",
        "instances None, expected a limit",
    ),
    "missing CMEK grant": (
        "region/grants.tf",
        '    workflows        = "serviceAccount:service-${local.number}@gcp-sa-workflows.iam.gserviceaccount.com"\n',
        "",
        "the agent @gcp-sa-workflows.… may not use",
    ),
    "bucket without our key alone": (
        "evidence/main.tf",
        'restriction_mode = "FullyRestricted"',
        'restriction_mode = "NotRestricted"',
        "encryption enforcement is not as it has to be",
    ),
    "alert without channel": (
        "region/alerts.tf",
        "notification_channels = var.channels",
        'notification_channels = each.key == "dead_letters" ? [] : var.channels',
        'alert_policy.alert["dead_letters"]: no channel',
    ),
    "budget without channel": (
        "budget.tf",
        "    monitoring_notification_channels = local.channels\n",
        "",
        'google_billing_budget.month["us-central1"]: nobody is told',
    ),
    "budget that pauses nothing": (
        "budget.tf",
        "pubsub_topic                     = module.region[each.key].budget_topic",
        "pubsub_topic                     = null",
        "expected guard_budget's topic",
    ),
    "local endpoint variable": (
        "region/functions.tf",
        "      SEALTRAIN_REGION           = var.region\n",
        '      SEALTRAIN_REGION           = var.region\n      SEALTRAIN_ENDPOINT         = "http://127.0.0.1:1"\n',
        "variables ['SEALTRAIN_ENDPOINT'] too many",
    ),
    "entry point renamed in one place": (
        "region/functions.tf",
        "entry_point = each.key",
        'entry_point = each.key == "close_run" ? "close" : each.key',
        "entry point close, expected close_run",
    ),
    "topic that nobody reads": (
        "region/topics.tf",
        'concat(keys(local.listeners), ["dead-letters"])',
        'concat(keys(local.listeners), ["dead-letters", "forgotten"])',
        "nobody reads sealtrain-forgotten",
    ),
    "way out of the network": (
        "region/network.tf",
        "destination_ranges = [local.private_range]",
        'destination_ranges = ["0.0.0.0/0"]',
        "machines_reach_google_alone: ",
    ),
    "right on the whole project": (
        "region/grants.tf",
        'on = "bucket:models", role = "storage.objects.create"',
        'on = "project", role = "storage.objects.create"',
        "without a condition, expected a name prefix",
    ),
    "key in software": (
        "region/keys.tf",
        'protection_level = "HSM"',
        'protection_level = "SOFTWARE"',
        "no HSM",
    ),
}
USER_KEY = """
resource "google_service_account_key" "key" {
  service_account_id = google_service_account.deployer.name
}
"""


def plant(terraform: Terraform, faults: dict[str, tuple[str, str, str, str]]) -> None:
    """Make every edit, each of which has to change something."""
    for name, (file, there, instead, _) in faults.items():
        path = terraform.work / file
        text = path.read_text()
        assert there in text, f"{name}: the files no longer say {there!r}"
        path.write_text(text.replace(there, instead, 1))


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `validate` says of a copy with every invalid edit."""
    folder = tmp_path_factory.mktemp("invalid") / "copy"
    folder.mkdir()
    terraform = Terraform(folder).init()
    plant(terraform, INVALID)
    ran = terraform.run("validate", "-no-color")
    assert ran.returncode != 0
    return " ".join(ran.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the rules find in a copy with every wrong edit, which terraform itself takes."""
    folder = tmp_path_factory.mktemp("wrong") / "copy"
    folder.mkdir()
    terraform = Terraform(folder).init()
    plant(terraform, WRONG)
    terraform.plan(alert_emails=EMAILS, billing_account="000000-111111-ABCDEF")
    return findings(resources(terraform.apply()["values"]["root_module"]))


@pytest.mark.parametrize("fault", INVALID)
def test_validate_refuses(fault: str, refused: str) -> None:
    """Each invalid edit is told."""
    assert INVALID[fault][3] in refused


@pytest.mark.parametrize("fault", WRONG)
def test_a_rule_finds(fault: str, found: list[str]) -> None:
    """Each wrong edit is told by a rule, with what was found."""
    assert [told for told in found if WRONG[fault][3] in told] != []


def test_a_user_managed_key_is_found() -> None:
    """The type is not even in the schema of this project; if it were, the rule tells."""
    key = {"type": "google_service_account_key", "address": "google_service_account_key.key", "values": {}}
    assert any("user-managed key" in told for told in findings([key]))


def test_a_user_managed_key_is_refused_by_validate(tmp_path: Path) -> None:
    """Nobody adds one unseen: validate does not know the type until `make schema` is run for it."""
    terraform = Terraform(tmp_path).init()
    (terraform.work / "key.tf").write_text(USER_KEY)
    ran = terraform.run("validate", "-no-color")
    assert "google_service_account_key" in ran.stderr
    assert ran.returncode != 0
