"""cloudbuild.yaml: what can be said of it without running it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cloudbuild.yaml").read_text()
BUILD = yaml.safe_load(TEXT)


def test_its_scripts_are_bash_and_its_modules_exist() -> None:
    """Each step's script parses, and calls what is in the tree."""
    for step in BUILD["steps"]:
        script = step["args"][-1]
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=10)
        for module in re.findall(r"python -m ([\w.]+)", script):
            assert importlib.util.find_spec(module), module


def test_every_substitution_is_declared_and_used() -> None:
    """A name in two places is compared."""
    used = set(
        re.findall(
            r"\$\{?(_[A-Z]+)", "\n".join(line for line in TEXT.splitlines() if line.strip()[:1] != "#")
        )
    )
    assert used == set(BUILD["substitutions"])


def test_it_builds_twice_and_attaches_evidence() -> None:
    """Without a cache, with fixed times, with SBOM and provenance, and it fails on a second digest."""
    script = BUILD["steps"][1]["args"][-1]
    assert script.count("build --provenance=") == 2
    for part in (
        "--no-cache",
        "SOURCE_DATE_EPOCH=0",
        "--sbom=true",
        "--provenance=mode=max",
        "two builds, two digests",
    ):
        assert part in script
    assert BUILD["options"]["requestedVerifyOption"] == "VERIFIED"
