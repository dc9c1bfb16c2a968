"""The doctor on a project before a deployment, over canned answers of Google's APIs."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.deploy.world import describe_agents
from cli.doctor import keys, project
from cli.doctor.iam import Holder
from cli.errors import CloudError
from cli.package import ROOT

SETTINGS = Settings(project="demo-project", project_number="100000000001", region="us-central1")
AGENTS = f"cloudkms /v1/{describe_agents(SETTINGS)[0]}:getIamPolicy"
SOUND: dict[str, Any] = {
    "cloudresourcemanager /v3/projects/demo-project": {"name": "projects/100000000001", "state": "ACTIVE"},
    "cloudbilling /v1/projects/demo-project/billingInfo": {
        "billingEnabled": True,
        "billingAccountName": "billingAccounts/000000-111111-ABCDEF",
    },
    "serviceusage /v1/projects/demo-project/services:batchGet": {"services": []},
    AGENTS: {"bindings": [{"role": "any", "members": describe_agents(SETTINGS)[1]}]},
    f"cloudkms /v1/{names.key_ring(SETTINGS, 'release')}": {"name": "the ring"},
    "compute /compute/v1/projects/demo-project/regions/us-central1": {
        "quotas": [
            {"metric": "N2D_CPUS", "limit": 500.0, "usage": 4.0},
            {"metric": "PREEMPTIBLE_NVIDIA_H100_GPUS", "limit": 1.0, "usage": 0.0},
        ]
    },
    "orgpolicy": {"spec": {"rules": [{"allowAll": True}]}},
    "compute /compute/v1/projects/confidential-space-images/global/images/family/confidential-space": {
        "name": "confidential-space-260800",
        "guestOsFeatures": [{"type": "SEV_CAPABLE"}, {"type": "TDX_CAPABLE"}],
    },
    "compute /compute/v1/projects/demo-project/regions/us-central1/advice/capacity": {
        "recommendations": [{"scores": {"obtainability": 0.7}}]
    },
}


class Canned:
    """Answers by service and path, or by service alone; an error is raised."""

    endpoint = None

    def __init__(self, **changed: Any) -> None:
        self.answers = {**SOUND, **changed}

    def get(self, service: str, path: str, **_: Any) -> Any:
        answer = self.answers.get(f"{service} {path}", self.answers.get(service))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def find(self, service: str, path: str, **_: Any) -> Any:
        return self.get(service, path)

    def post(self, service: str, path: str, _: Any = None) -> Any:
        return self.get(service, path)


@pytest.fixture(autouse=True)
def decrypting(monkeypatch: pytest.MonkeyPatch) -> keys.Report:
    """Who can decrypt, as `doctor --keys` finds it, which has tests of its own on the stand-in."""
    report = keys.Report(ring="the ring")
    monkeypatch.setattr(keys, "check", lambda *_: report)
    return report


def lines(changed: dict[str, Any], settings: Settings = SETTINGS) -> list[tuple[str, str, str, str]]:
    """What is told when some answers are changed."""
    found = project.check(cast(Api, Canned(**changed)), settings)
    return [(line.state, line.name, line.told, line.mend) for line in found]


def test_a_sound_project_is_well() -> None:
    """Every line is ok, and every subject of the list is there."""
    told = lines({})
    assert {state for state, *_ in told} == {"ok"}
    assert {name for _, name, *_ in told} == {
        *("project", "billing", "APIs", "service agent", "quota", "organisation policy", "image"),
        *("residency", "capacity", "who can decrypt"),
    }


CHANGED: dict[str, tuple[str, Any, str, str]] = {
    "deleted project": (
        "cloudresourcemanager /v3/projects/demo-project",
        {"name": "projects/100000000001", "state": "DELETE_REQUESTED"},
        "fail",
        "gcloud projects undelete demo-project",
    ),
    "another number": (
        "cloudresourcemanager /v3/projects/demo-project",
        {"name": "projects/5", "state": "ACTIVE"},
        "fail",
        "export SEALTRAIN_PROJECT_NUMBER=5",
    ),
    "no billing": (
        "cloudbilling /v1/projects/demo-project/billingInfo",
        {},
        "fail",
        "gcloud billing projects link demo-project --billing-account ACCOUNT",
    ),
    "an API off": (
        "serviceusage /v1/projects/demo-project/services:batchGet",
        {"services": [{"name": "projects/1/services/sts.googleapis.com", "state": "DISABLED"}]},
        "fail",
        "gcloud services enable sts.googleapis.com",
    ),
    "an agent without its grant": (
        AGENTS,
        {"bindings": []},
        "fail",
        "gcloud beta services identity create --project demo-project --service pubsub.googleapis.com; then "
        "scripts/deploy.sh demo-project --region us-central1",
    ),
    "nothing deployed yet": (
        AGENTS,
        None,
        "warn",
        "scripts/deploy.sh demo-project --region us-central1",
    ),
    "no release key yet": (
        f"cloudkms /v1/{names.key_ring(SETTINGS, 'release')}",
        None,
        "warn",
        "scripts/deploy.sh demo-project --region us-central1",
    ),
    "no quota": (
        "compute /compute/v1/projects/demo-project/regions/us-central1",
        {"quotas": []},
        "warn",
        "ask for N2D_CPUS in us-central1",
    ),
    "a restricting policy": (
        "orgpolicy",
        {"spec": {"rules": [{"values": {"allowedValues": ["in:eu-locations"]}}]}},
        "warn",
        "gcloud org-policies describe gcp.resourceLocations --effective",
    ),
    "an image without TDX": (
        "compute /compute/v1/projects/confidential-space-images/global/images/family/confidential-space",
        {"name": "old", "guestOsFeatures": [{"type": "SEV_CAPABLE"}]},
        "fail",
        "gcloud compute images list --project confidential-space-images",
    ),
    "no capacity": (
        "compute /compute/v1/projects/demo-project/regions/us-central1/advice/capacity",
        {"recommendations": []},
        "warn",
        "plan for other regions",
    ),
    "a right that is missing": (
        "cloudbilling /v1/projects/demo-project/billingInfo",
        CloudError("forbidden", status=403),
        "warn",
        "have somebody with roles/viewer",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_is_not_well_is_told_with_what_mends_it(case: str) -> None:
    """The line, its state, and the command."""
    key, answer, state, mend = CHANGED[case]
    bad = [(was, do) for was, _, _, do in lines({key: answer}) if was != "ok"]
    assert [was for was, do in bad if do.startswith(mend)] == [state]
    assert {was for was, _ in bad} == {state}


def test_a_region_without_machines_is_told() -> None:
    """With the regions that have some."""
    import msgspec

    elsewhere = msgspec.structs.replace(SETTINGS, region="us-nowhere1")
    told = [
        line
        for line in lines({"compute": {"quotas": []}, "cloudkms": {}}, elsewhere)
        if line[1] == "residency"
    ]
    assert told[0][0] == "fail"
    assert "us-central1" in told[0][3]


def test_who_can_decrypt_without_attestation_is_told(decrypting: keys.Report) -> None:
    """By name, with the command that shows both lists."""
    decrypting.can_decrypt.append(Holder("user:eve@example.org", "the ring", "roles/x", "", keys.DECRYPT))
    decrypting.expected.append("principalSet://attested")
    found = next(line for line in lines({}) if line[1] == "who can decrypt")
    assert found == (
        "fail",
        "who can decrypt",
        "user:eve@example.org can; principalSet://attested cannot",
        "sealtrain doctor --keys",
    )


def test_who_can_decrypt_is_no_ok_while_something_could_not_be_read(decrypting: keys.Report) -> None:
    """What may not be read is not taken for empty."""
    decrypting.unread.append("organizations/1")
    found = next(line for line in lines({}) if line[1] == "who can decrypt")
    assert found[0] == "warn"
    assert "organizations/1" in found[2]


def test_each_agent_is_made_by_a_command_of_its_own() -> None:
    """Google makes some by the way, and some only when asked."""
    told = {do for _, name, _, do in lines({AGENTS: {"bindings": []}}) if name == "service agent"}
    assert {do.split("; then")[0].partition(" --")[0] for do in told} == {
        "gcloud beta services identity create",
        "gcloud services enable compute.googleapis.com",
        "gcloud storage service-agent",
        "bq",
    }


def test_the_apis_are_those_that_terraform_turns_on() -> None:
    """One list in two languages."""
    told = (ROOT / "terraform_min" / "apis.tf").read_text()
    assert [f"{one}.googleapis.com" for one in project.APIS] == re.findall(r'"(\w+\.googleapis\.com)"', told)
