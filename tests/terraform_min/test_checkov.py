"""checkov over the files and over a plan: no failure; each skip stands in the files with its reason."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.terraform_min.conftest import Applied
from tests.terraform_min.offline.terraform import ROOT, SOURCE, TOOLS
from tests.terraform_min.test_files import FILES

# What checkov sees only in a plan, where what Google decides is unknown.
UNKNOWN_IN_A_PLAN = {
    "CKV_GCP_15": "the dataset's access list is unknown there; nobody_is_everybody looks at the applied one",
    "CKV_GCP_63": "two unknown bucket names are equal to it; the names differ (buckets.tf)",
}


def checkov(*arguments: str) -> dict[str, Any]:
    """One run; its summary and failures."""
    ran = subprocess.run(
        [TOOLS / "python", TOOLS / "checkov", *arguments, "--output", "json", "--quiet", "--skip-download"],
        cwd=ROOT,
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE", "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def failed(told: dict[str, Any]) -> list[str]:
    """Check and resource of each failure."""
    return [f"{c['check_id']} {c['resource']}: {c['check_name']}" for c in told["results"]["failed_checks"]]


def test_checkov_finds_nothing_in_the_files() -> None:
    """Every check of Google's resources that it has."""
    told = checkov("--directory", str(SOURCE), "--framework", "terraform")
    assert failed(told) == []
    assert told["summary"]["passed"] > 50
    assert told["summary"]["parsing_errors"] == 0


def test_checkov_finds_nothing_in_the_plan(everything: Applied, tmp_path: Path) -> None:
    """The same over what the variables become; a skip of the files holds here too."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(everything.plan))
    skipped = {
        line.split("checkov:skip=")[1].split(":")[0]
        for file in FILES
        for line in file.read_text().splitlines()
        if "checkov:skip=" in line
    }
    skipped |= set(UNKNOWN_IN_A_PLAN)
    told = checkov("--file", str(plan), "--framework", "terraform_plan")
    assert [one for one in failed(told) if one.split()[0] not in skipped] == []
    assert told["summary"]["passed"] > 50
