"""deploy.sh and destroy.sh under a recording gcloud and terraform."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDER = Path(__file__).parent / "recorder.sh"
PROJECT = "demo-project"


class Desk:
    """A checkout of the scripts, with recorders in front of the programs they call."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.record = folder, folder / "record"
        self.record.mkdir(parents=True)
        for name in ("scripts", "terraform_min", "workflows"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "build").mkdir()
        (folder / "build" / "functions.zip").write_bytes(b"archive")
        (folder / "bin").mkdir()
        for name in ("bq", "gcloud", "terraform"):
            shutil.copy(RECORDER, folder / "bin" / name)
            (folder / "bin" / name).chmod(0o755)

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One run of a script."""
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            [self.folder / "scripts" / script, PROJECT, *arguments],
            env={"PATH": path, "RECORD": str(self.record), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self) -> list[str]:
        """The calls so far, without this folder's name."""
        file = self.record / "calls"
        return file.read_text().replace(str(self.folder), ".").splitlines() if file.exists() else []

    def made(self) -> set[str]:
        """What exists after the calls so far."""
        return set((self.record / "made").read_text().splitlines())

    def make(self, *names: str) -> None:
        """Let something exist from the start."""
        (self.record / "made").write_text("".join(f"{name}\n" for name in names))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Nothing was called yet."""
    return Desk(tmp_path / "desk")


EVIDENCE = 'module.region["us-central1"].module.evidence'
AGENT = "gcloud beta services identity create --project demo-project"
VALUES = "-var=project_id=demo-project -var=region=us-central1 -var=deployment=sealtrain"


def test_deploying_calls_what_google_documents(desk: Desk) -> None:
    """APIs, agents, a place for the state, then Terraform; looked at before it is made."""
    assert desk.run("deploy.sh").returncode == 0
    calls = desk.calls()
    assert calls[0].startswith(
        "gcloud services enable --project demo-project artifactregistry.googleapis.com"
    )
    assert calls[1:] == [
        f"{AGENT} --service artifactregistry.googleapis.com",
        f"{AGENT} --service pubsub.googleapis.com",
        f"{AGENT} --service workflows.googleapis.com",
        "gcloud storage service-agent --project demo-project",
        "bq --project_id demo-project show --encryption_service_account",
        "gcloud storage buckets describe gs://sealtrain-demo-project-terraform",
        "gcloud storage buckets create gs://sealtrain-demo-project-terraform --project demo-project "
        "--location us-central1 --uniform-bucket-level-access --public-access-prevention",
        "gcloud storage buckets update gs://sealtrain-demo-project-terraform --versioning",
        "terraform init -input=false -reconfigure",
        "gcloud storage buckets describe gs://sealtrain-demo-project-evidence",
        f"terraform apply -input=false -auto-approve {VALUES}",
    ]


@pytest.mark.parametrize("after", ["0", "1"], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize(
    ("script", "stands"),
    [
        (("deploy.sh",), ()),
        (("deploy.sh",), ("gs://sealtrain-demo-project-evidence",)),
        (("deploy.sh", "--by", "infra-manager"), ()),
        (("destroy.sh",), (f"{EVIDENCE}.google_storage_bucket.evidence",)),
    ],
    ids=["deploy", "deploy over old evidence", "deploy by infra-manager", "destroy"],
)
def test_a_failure_at_any_call_leaves_a_state_to_go_on_from(
    script: tuple[str, ...], stands: tuple[str, ...], after: str, tmp_path: Path
) -> None:
    """Fail at each call in turn: either the script ends with an error and the next run goes through, or the
    call was only a look."""
    whole = Desk(tmp_path / "whole")
    whole.make(*stands)
    assert whole.run(*script).returncode == 0
    for number, call in enumerate(whole.calls(), 1):
        desk = Desk(tmp_path / f"at-{number}")
        desk.make(*stands)
        first = desk.run(*script, FAIL_AT=str(number), AFTER=after)
        was_a_look = any(word in call for word in ("describe", " show ", "storage ls"))
        assert was_a_look or first.returncode != 0, call
        assert desk.run(*script).returncode == 0, call
        assert desk.made() == whole.made()


def test_infrastructure_manager_gets_the_same_files_and_a_deployer(desk: Desk) -> None:
    """The account and its roles come first; it is named by its full path; one folder holds all files."""
    assert desk.run("deploy.sh", "--by", "infra-manager").returncode == 0
    calls = desk.calls()
    roles = json.loads((ROOT / "terraform_min" / "deployer_roles.json").read_text())
    granted = [call.split("--role ")[1].split()[0] for call in calls if "add-iam-policy-binding" in call]
    assert granted == sorted(roles)
    assert calls[-1] == (
        "gcloud infra-manager deployments apply "
        "projects/demo-project/locations/us-central1/deployments/sealtrain --service-account "
        "projects/demo-project/serviceAccounts/sealtrain-deployer@demo-project.iam.gserviceaccount.com "
        "--local-source ./build/deploy-demo-project/terraform_min "
        "--inputs-file ./build/deploy-demo-project/terraform_min/terraform.tfvars"
    )
    staged = desk.folder / "build" / "deploy-demo-project" / "terraform_min"
    assert (staged / "build" / "functions.zip").is_file()
    assert (staged / "workflows" / "train.workflows.yaml").is_file()
    assert not (staged / "backend.tf").exists()


def test_evidence_of_an_earlier_deployment_is_taken_over(desk: Desk) -> None:
    """It stayed when that was destroyed, so it is imported, once."""
    desk.make("gs://sealtrain-demo-project-evidence")
    assert desk.run("deploy.sh").returncode == 0
    imports = [call for call in desk.calls() if call.startswith("terraform import")]
    assert len(imports) == 5
    assert imports[0].endswith(
        'module.region["us-central1"].module.evidence.google_kms_key_ring.evidence '
        "projects/demo-project/locations/us-central1/keyRings/sealtrain-evidence"
    )
    assert desk.run("deploy.sh").returncode == 0
    assert len([call for call in desk.calls() if call.startswith("terraform import")]) == 5


def test_destroying_leaves_evidence_alone(desk: Desk) -> None:
    """It goes out of the state before anything is destroyed, and no call removes its bucket or keys."""
    desk.make(f"{EVIDENCE}.google_storage_bucket.evidence")
    assert desk.run("destroy.sh").returncode == 0
    calls = desk.calls()
    assert calls.index(f"terraform state rm {EVIDENCE}") < calls.index(
        f"terraform destroy -input=false -auto-approve {VALUES}"
    )
    assert [call for call in calls if "-evidence" in call and call.startswith("gcloud")] == []


@pytest.mark.parametrize("word", ["source", "state", "checkpoints"])
def test_destroying_empties_what_is_nobodys(desk: Desk, word: str) -> None:
    """A bucket that holds something would stay: what serves runs alone goes first."""
    desk.make(f"gs://sealtrain-demo-project-{word}/**")
    assert desk.run("destroy.sh").returncode == 0
    assert any("storage rm" in call and f"-{word}/" in call for call in desk.calls())


@pytest.mark.parametrize("word", ["inbox", "models"])
def test_destroying_stops_at_what_is_an_owners(desk: Desk, word: str) -> None:
    """Data and models are not the operator's to remove, and the keys that open them would go."""
    desk.make(f"gs://sealtrain-demo-project-{word}/**")
    ran = desk.run("destroy.sh")
    assert ran.returncode != 0
    assert "is its owner's" in ran.stderr
    assert [call for call in desk.calls() if call.startswith("terraform")] == []


@pytest.mark.parametrize(("script", "word"), [("deploy.sh", "deployed"), ("destroy.sh", "destroyed")])
def test_a_dry_run_prints_and_calls_nothing(desk: Desk, script: str, word: str) -> None:
    """Each call as it would be made, ready to paste; its last word is that nothing was done."""
    ran = desk.run(script, "--dry-run")
    assert ran.stderr.splitlines()[-1] == f"dry run: nothing was called, nothing was {word}"
    assert ran.returncode == 0
    assert "terraform init -input=false" in ran.stdout
    assert desk.calls() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--region", "us-central1-a"), "expected one like us-central1"),
        (("--deployment", "much-too-long"), "expected 2 to 9"),
        (("--inputs", "none.tfvars"), "no file none.tfvars"),
        (("--by", "hand"), "expected terraform or infra-manager"),
        (("--what",), "unknown option --what"),
        (("another-project",), "one project"),
    ],
)
def test_a_wrong_argument_is_refused_before_any_call(
    desk: Desk, arguments: tuple[str, ...], told: str
) -> None:
    """With what was got and what is expected."""
    ran = desk.run("deploy.sh", *arguments)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert desk.calls() == []
