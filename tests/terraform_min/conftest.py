"""Everything in this folder is a gate: it needs terraform and the tools of requirements-gates.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.terraform_min import make_world
from tests.terraform_min.offline.terraform import Terraform

HERE = Path(__file__).parent
EMAILS = ["ops@placeholder.example"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `make test` leaves them out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gate)


class Applied:
    """A plan over some variables, and the state after it was applied to the offline provider."""

    def __init__(self, folder: Path, **variables: Any) -> None:
        self.terraform = Terraform(folder, make_world.ARCHIVE).init()
        self.variables = variables
        self.plan = self.terraform.plan(**variables)
        self.state = self.terraform.apply()


@pytest.fixture(scope="session")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> Applied:
    """The deployment that world.json is made from."""
    folder = tmp_path_factory.mktemp("placeholders") / "copy"
    folder.mkdir()
    return Applied(folder, **make_world.variables(folder))


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Applied:
    """Two regions, every optional part on."""
    folder = tmp_path_factory.mktemp("everything") / "copy"
    folder.mkdir()
    return Applied(folder, **EVERYTHING)


EVERYTHING: dict[str, Any] = {
    "alert_emails": EMAILS,
    "allowed_regions": ["us-central1", "europe-west4"],
    "approved_images": ["sha256:" + "1" * 64, "sha256:" + "2" * 64],
    "auditors": ["group:auditors@placeholder.example"],
    "billing_account": "000000-111111-ABCDEF",
    "deployers": ["group:operators@placeholder.example"],
    "owners": ["user:owner@placeholder.example"],
    "regions": {
        "us-central1": {"deployment": "sealtrain"},
        "europe-west4": {"deployment": "seal-eu", "subnetwork_range": "10.131.0.0/24"},
    },
}
OFF: dict[str, Any] = {"enable_monitoring": False, "report_schedule": "null"}
