"""Values that cannot be meant are refused with the reason and the right value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.terraform_min.offline.terraform import Terraform

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the recipe's machine": ({"machine_type": "a2-highgpu-1g"}, 'Use "a3-highgpu-1g" for one H100 with TDX'),
    "the recipe's rotation": ({"key_rotation_period": "30d"}, 'For 30 days write "2592000s"'),
    "a rotation of a year": ({"key_rotation_period": "31536000s"}, "ours ends at 7776000s (90 days)"),
    "the recipe's GPU": (
        {"accelerator_type": "nvidia-tesla-a100"},
        'Set "nvidia-h100-80gb" for a3-highgpu-1g',
    ),
    "eight GPUs": ({"accelerator_count": 8}, "confidential GPU machines have exactly one GPU"),
    "a small disk": ({"boot_disk_size": 10}, "a3-highgpu-1g needs at least 30 GiB"),
    "a suffix for buckets": ({"bucket_name_suffix": "x1"}, "bucket names are derived"),
    "a suffix for the key ring": ({"keyring_name_suffix": "x1"}, "key rings are named by the deployment"),
    "one account for all": ({"service_account_name": "secure-ai"}, 'Leave it at "workload"'),
    "a project's number": ({"project_id": "123456789012"}, "It is the id (my-project), not the number"),
    "a zone for a region": ({"region": "us-central1-a"}, "goes into `zone`"),
    "a zone without the machine": ({"zone": "us-central1-b"}, "us-central1-a, us-east5-a"),
    "a zone elsewhere": ({"zone": "us-east5-a"}, 'is not in region "us-central1"'),
    "a region outside residency": (
        {"allowed_regions": ["europe-west4"]},
        "data would leave where it has to stay",
    ),
    "a region of the map outside": (
        {
            "allowed_regions": ["us-central1"],
            "regions": {"us-central1": {"deployment": "sealtrain"}, "asia-east1": {"deployment": "seal-as"}},
        },
        "asia-east1 outside allowed_regions",
    ),
    "two regions of one name": (
        {"regions": {"us-central1": {"deployment": "same"}, "europe-west4": {"deployment": "same"}}},
        "each needs a deployment name of its own",
    ),
    "a long name": ({"deployment": "sealtraining"}, "2 to 9 of a-z"),
    "a tag": ({"approved_images": ["latest"]}, "a tag can be moved"),
    "a trainer that is not approved": (
        {"trainer": "x/y@sha256:" + "1" * 64},
        "put its digest into approved_images",
    ),
    "everybody as owner": ({"owners": ["allUsers"]}, "never everybody (allUsers)"),
    "everybody as auditor": ({"auditors": ["allAuthenticatedUsers"]}, "never everybody (allUsers)"),
    "a budget for nobody": (
        {"billing_account": "000000-111111-ABCDEF"},
        "a budget without a channel is seen by nobody",
    ),
    "no archive": ({"archive": "../build/none.zip"}, "Run `make package` first"),
}


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """One copy for all refusals: nothing is planned in the end."""
    folder = tmp_path_factory.mktemp("variables") / "copy"
    folder.mkdir()
    return Terraform(folder).init()


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_is_refused_with_the_reason(case: str, terraform: Terraform) -> None:
    """The message holds what was given and what would do."""
    variables, told = REFUSED[case]
    assert told in terraform.refused(**variables)


def test_alerts_that_reach_nobody_are_told(terraform: Terraform) -> None:
    """Monitoring without an address makes no alert, and a warning says so."""
    ran = terraform.run("plan", "-no-color", "-var=project_id=placeholder-project", "-var=wait_for_iam=0")
    assert ran.returncode == 0
    assert "No alerts are made" in ran.stdout + ran.stderr
