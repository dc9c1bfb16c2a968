"""`sealtrain verify` from outside: exit codes, no network, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[2]
TRUST = {
    "bundle_key_pem": "-----BEGIN PUBLIC KEY-----",
    "attestation_root_pem": "-----BEGIN CERTIFICATE-----",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with keys that fit nothing."""
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    return tmp_path


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"payloadType":"x"}', b"9" * 100_000])
def test_rubbish_is_a_failed_check_not_a_traceback(folder: Path, content: bytes) -> None:
    """Whatever the file holds, the answer is FAILED and exit 1."""
    (folder / "bundle.json").write_bytes(content)
    shown = CliRunner().invoke(app, ["verify", str(folder / "bundle.json")])
    assert shown.exit_code == 1
    assert "FAILED" in shown.stdout
    assert "the bundle does not hold" in shown.stdout


def test_a_missing_bundle_is_exit_2(folder: Path) -> None:
    """Nothing to check is not a failed check."""
    shown = CliRunner().invoke(app, ["verify", str(folder / "nothing.json")])
    assert shown.exit_code == 2
    assert "BUNDLE" in shown.stderr


def test_missing_or_broken_keys_are_exit_2(tmp_path: Path) -> None:
    """Without keys to trust nothing is checked."""
    bundle = tmp_path / "bundle.json"
    bundle.write_text("{}")
    assert CliRunner().invoke(app, ["verify", str(bundle)]).exit_code == 2
    (tmp_path / "trust.json").write_text('{"bundle_key_pem": 1}')
    shown = CliRunner().invoke(app, ["verify", str(bundle)])
    assert shown.exit_code == 2
    assert "--trust" in shown.stderr


def test_keys_that_came_with_the_bundle_are_named_as_such(folder: Path) -> None:
    """Keys from the same folder prove nothing, and it says so."""
    (folder / "bundle.json").write_text("{}")
    assert "prove nothing" in CliRunner().invoke(app, ["verify", str(folder / "bundle.json")]).stderr


def test_json_carries_every_check(folder: Path) -> None:
    """One document with the checks and the verdict."""
    (folder / "bundle.json").write_text("{}")
    shown = CliRunner().invoke(app, ["verify", str(folder / "bundle.json"), "--json"])
    told = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert told["ok"] is False
    assert told["checks"]


def test_verifying_loads_no_google_library_and_opens_no_socket(folder: Path) -> None:
    """An auditor needs the file, the keys and nothing else."""
    (folder / "bundle.json").write_text("{}")
    code = (
        "import sys\n"
        "def watch(event, _):\n"
        "    if event.startswith('socket.'): raise AssertionError(event)\n"
        "sys.addaudithook(watch)\n"
        "from cli.verbs.verify import verify\n"
        "from pathlib import Path\n"
        f"code = verify(Path({str(folder / 'bundle.json')!r}), None, False)\n"
        "heavy = ('google.auth', 'google.api_core', 'google.cloud.storage', 'requests', 'tink')\n"
        "print('loaded', [name for name in heavy if name in sys.modules])\n"
        "sys.exit(code)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 1, shown.stderr
    assert "loaded []" in shown.stdout
