"""The files as they stand: formatting, types, house style, and what must never be committed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from cli.deploy import blueprint
from tests.terraform_min.offline.extract_schema import used
from tests.terraform_min.offline.terraform import ROOT, SOURCE, Terraform

FILES = sorted(SOURCE.rglob("*.tf"))


def text_of(name: str) -> str:
    """All Terraform files with this beginning of their name, as one text."""
    return "\n".join(file.read_text() for file in FILES if file.name.startswith(name))


def test_the_files_are_formatted_and_valid(tmp_path: Path) -> None:
    """fmt, init and validate of the real terraform."""
    terraform = Terraform(tmp_path).init()
    terraform.do("fmt", "-check", "-recursive", "-diff")
    terraform.do("validate", "-no-color")


def test_the_files_are_what_terraform_1_5_takes() -> None:
    """Infrastructure Manager runs 1.5.7: a validation looks at its own variable alone; no later function."""
    text = "\n".join(f.read_text() for f in FILES)
    assert set(re.findall(r'required_version = "([^"]+)"', text)) == {">= 1.5"}
    for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S):
        checks = "".join(re.findall(r"validation \{\n(.*?)\n  \}", body, re.S))
        assert set(re.findall(r"\b(?:var|local|module|data)\.\w+", checks)) <= {f"var.{name}"}, name
    later = r"\b(provider::\w+|issensitive|templatestring|ephemeralasnull)\(|^(import|removed|ephemeral) "
    assert re.findall(later, text, re.M) == []


def test_no_provider_but_google() -> None:
    """One provider, one pin, in every module."""
    sources = re.findall(r'source\s+= "([^."][^"]*/[^"]*)"', "\n".join(f.read_text() for f in FILES))
    pins = re.findall(r'^ +version = "([^"]+)"', text_of("versions"), re.M)
    assert set(sources) == {"hashicorp/google"}
    assert set(pins) == {"~> 8.7"}


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.name.startswith("variables")], ids=lambda f: str(f.relative_to(SOURCE))
)
def test_variables_are_alphabetical_described_and_typed(file: Path) -> None:
    """Who looks for a variable finds it, and reads what it is."""
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', file.read_text(), re.M | re.S)
    names = [name for name, _ in blocks]
    assert names == sorted(names)
    assert [
        n for n, body in blocks if "description = " not in body or not re.search(r"^\s+type +=", body, re.M)
    ] == []


def test_every_output_is_described() -> None:
    """The same for outputs."""
    blocks = re.findall(r'^output "(\w+)" \{\n(.*?)^\}', text_of("outputs"), re.M | re.S)
    assert blocks
    assert [name for name, body in blocks if "description = " not in body] == []


def test_the_usual_variables_are_there() -> None:
    """Whoever comes from another set-up finds the usual words."""
    wanted = [
        "project_id",
        "region",
        "zone",
        "service_account_name",
        "bucket_name_suffix",
        "keyring_name_suffix",
        "machine_type",
        "accelerator_type",
        "accelerator_count",
        "boot_disk_size",
        "enable_monitoring",
        "key_rotation_period",
    ]
    have = re.findall(r'^variable "(\w+)"', (SOURCE / "variables.tf").read_text(), re.M)
    assert sorted(wanted) == have


def test_the_blueprint_is_what_the_code_says() -> None:
    """blueprint.json is made from the step table and the rules; `make world` writes it again."""
    assert blueprint.FILE.read_text() == blueprint.text()


def test_the_schema_holds_exactly_the_types_that_are_used() -> None:
    """A type more or less: `make schema`."""
    import gzip
    import json

    from tests.terraform_min.offline.terraform import SCHEMA

    document = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    provider = document["provider_schemas"]["registry.terraform.io/hashicorp/google"]
    assert {*provider["resource_schemas"], *provider["data_source_schemas"]} == used(SOURCE)


def test_no_lock_file_plan_or_state_is_committed() -> None:
    """A lock file made here would name the offline provider."""
    tracked = subprocess.run(
        ["git", "ls-files", "terraform_min"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    assert tracked
    assert [name for name in tracked if re.search(r"lock\.hcl|tfstate|tfplan|\.tfvars", name)] == []


def test_no_skip_of_checkov_is_without_a_reason() -> None:
    """A skip says why in the same line."""
    skips = re.findall(r"checkov:skip=(\w+):?(.*)", "\n".join(f.read_text() for f in FILES))
    assert skips
    assert [check for check, reason in skips if len(reason.split()) < 4] == []
