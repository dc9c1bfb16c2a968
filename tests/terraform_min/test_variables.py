"""Values that cannot be meant are refused with the reason and the right value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.terraform_min.offline.terraform import Terraform

# name: (in which plan, variables, what has to be told). Values whose checks are independent share a plan.
# What a variable's own validation refuses (1, 2) comes before what does not fit together (3 to 6).
REFUSED: dict[str, tuple[int, dict[str, Any], str]] = {
    "a machine that cannot be confidential": (
        4,
        {"machine_type": "a2-highgpu-1g"},
        'Use "a3-highgpu-1g" for one H100 with TDX',
    ),
    "a rotation in days": (1, {"key_rotation_period": "30d"}, 'For 30 days write "2592000s"'),
    "a rotation of a year": (2, {"key_rotation_period": "31536000s"}, "ours ends at 7776000s (90 days)"),
    "a GPU that cannot be confidential": (
        3,
        {"accelerator_type": "nvidia-tesla-a100"},
        'Set "nvidia-h100-80gb" for a3-highgpu-1g',
    ),
    "eight GPUs": (3, {"accelerator_count": 8}, "confidential GPU machines have exactly one GPU"),
    "a small disk": (3, {"boot_disk_size": 10}, "a3-highgpu-1g needs at least 30 GiB"),
    "a suffix for buckets": (1, {"bucket_name_suffix": "x1"}, "bucket names are derived"),
    "a suffix for the key ring": (1, {"keyring_name_suffix": "x1"}, "key rings are named by the deployment"),
    "one account for all": (1, {"service_account_name": "secure-ai"}, 'Leave it at "workload"'),
    "a project's number": (1, {"project_id": "123456789012"}, "It is the id (my-project), not the number"),
    "a zone for a region": (2, {"region": "us-central1-a"}, "goes into `zone`"),
    "a zone without the machine": (3, {"zone": "us-central1-b"}, "us-central1-a, us-east5-a"),
    "a zone elsewhere": (4, {"zone": "us-east5-a"}, 'is not in region "us-central1"'),
    "a region outside residency": (
        5,
        {"allowed_regions": ["europe-west4"]},
        "data would leave where it has to stay",
    ),
    "a region of the map outside": (
        6,
        {
            "allowed_regions": ["us-central1"],
            "regions": {"us-central1": {"deployment": "sealtrain"}, "asia-east1": {"deployment": "seal-as"}},
        },
        "asia-east1 outside allowed_regions",
    ),
    "two regions of one name": (
        2,
        {"regions": {"us-central1": {"deployment": "same"}, "europe-west4": {"deployment": "same"}}},
        "each needs a deployment name of its own",
    ),
    "a long name": (1, {"deployment": "sealtraining"}, "2 to 9 of a-z"),
    "a tag": (1, {"approved_images": ["latest"]}, "a tag can be moved"),
    "a trainer that is not approved": (
        3,
        {"trainer": "x/y@sha256:" + "1" * 64},
        "put its digest into approved_images",
    ),
    "everybody as owner": (1, {"owners": ["allUsers"]}, "never everybody (allUsers)"),
    "everybody as auditor": (1, {"auditors": ["allAuthenticatedUsers"]}, "never everybody (allUsers)"),
    "a budget for nobody": (
        3,
        {"billing_account": "000000-111111-ABCDEF"},
        "a budget without a channel is seen by nobody",
    ),
    "no archive": (1, {"archive": "../build/none.zip"}, "Run `make package` first"),
}


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """One copy for all refusals: nothing is planned in the end."""
    folder = tmp_path_factory.mktemp("variables") / "copy"
    folder.mkdir()
    return Terraform(folder).init()


@pytest.fixture(scope="module")
def told(terraform: Terraform) -> dict[int, str]:
    """What each plan says."""
    plans: dict[int, dict[str, Any]] = {}
    for number, variables, _ in REFUSED.values():
        plans.setdefault(number, {}).update(variables)
    return {number: terraform.refused(**variables) for number, variables in plans.items()}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_is_refused_with_the_reason(case: str, told: dict[int, str]) -> None:
    """The message holds what was given and what would do."""
    number, _, expected = REFUSED[case]
    assert expected in told[number]


def test_alerts_that_reach_nobody_are_told(terraform: Terraform) -> None:
    """Monitoring without an address makes no alert, and a warning says so."""
    ran = terraform.run("plan", "-no-color", "-var=project_id=placeholder-project", "-var=wait_for_iam=0")
    assert ran.returncode == 0
    assert "No alerts are made" in ran.stdout + ran.stderr
