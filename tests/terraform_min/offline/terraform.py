"""The real terraform on a copy of terraform_min/, against the offline provider.

- A copy, so that no lock file, plan or state is ever left in the tree; the lock would name the offline
  provider.
- Nothing is looked up: the provider comes from a folder, the schema from the extract beside this file.
- The extract holds the types that are used. Another one fails as unknown until `make schema` has added it.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SOURCE = ROOT / "terraform_min"
SCHEMA = HERE / "google_schema.json.gz"
TOOLS = ROOT / ".venv-gates" / "bin"
VERSION = "8.7.0"
PROJECT = "placeholder-project"
BOUND_S = 300


class Terraform:
    """One copy of the files with everything that the files refer to beside it."""

    def __init__(self, folder: Path, archive: bytes = b"archive") -> None:
        self.folder, self.work = folder, folder / "terraform_min"
        keep_out = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
        shutil.copytree(SOURCE, self.work, ignore=keep_out)
        shutil.copytree(ROOT / "workflows", folder / "workflows")
        (folder / "build").mkdir()
        (folder / "build" / "functions.zip").write_bytes(archive)
        self._environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(_mirror(folder)),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One terraform command; what it said and its exit code."""
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.work,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    def do(self, *arguments: str) -> str:
        """One terraform command that has to succeed; its output."""
        ran = self.run(*arguments)
        assert ran.returncode == 0, f"terraform {arguments[0]}:\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def init(self) -> Terraform:
        """Ready for the other commands."""
        self.do("init", "-backend=false", "-no-color")
        return self

    def plan(self, **variables: Any) -> dict[str, Any]:
        """The plan over these variables, as `terraform show -json` tells it."""
        self.do("plan", "-no-color", "-out=plan.bin", *_flags(variables))
        return dict(json.loads(self.do("show", "-json", "plan.bin")))

    def refused(self, **variables: Any) -> str:
        """What a plan that has to fail says, on one line."""
        ran = self.run("plan", "-no-color", *_flags(variables))
        assert ran.returncode != 0, f"planned: {variables}"
        return " ".join(ran.stderr.replace("│", " ").split())

    def apply(self) -> dict[str, Any]:
        """Apply the last plan to the offline provider; the state as JSON."""
        self.do("apply", "-no-color", "plan.bin")
        return dict(json.loads(self.do("show", "-json")))


def _flags(variables: dict[str, Any]) -> list[str]:
    said = {"project_id": PROJECT, "wait_for_iam": 0, **variables}
    return [f"-var={name}={v if isinstance(v, str) else json.dumps(v)}" for name, v in said.items()]


def _mirror(folder: Path) -> Path:
    """A folder that terraform takes the provider from, and the settings that say so."""
    program = folder / f"mirror/registry.terraform.io/hashicorp/google/{VERSION}" / _platform()
    program.mkdir(parents=True)
    plugin = program / f"terraform-provider-google_v{VERSION}"
    plugin.write_text(
        f"#!/bin/sh\ncd '{ROOT}' && exec '{TOOLS}/python' -m tests.terraform_min.offline.plugin '{SCHEMA}'\n"
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    settings = folder / "terraform.rc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}/mirror"\n  }}\n}}\n'
        "disable_checkpoint = true\n"
    )
    return settings


def _platform() -> str:
    told = json.loads(
        subprocess.run(
            ["terraform", "version", "-json"], capture_output=True, text=True, check=True, timeout=BOUND_S
        ).stdout
    )
    return str(told["platform"])


def resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    """Every managed resource of a state's or plan's module and of those below it."""
    own = [one for one in module.get("resources", []) if one["mode"] == "managed"]
    return own + [one for child in module.get("child_modules", []) for one in resources(child)]
