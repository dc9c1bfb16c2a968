"""The command line: verbs, options, how errors are said."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from cli import errors
from cli.main import app
from tests.cli.processes import ENV

VERBS = ("demo", "fetch", "logs", "runs", "status", "submit", "teardown", "up", "verify")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SEALTRAIN_PROJECT", "SEALTRAIN_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_help_names_every_verb_and_the_exit_codes() -> None:
    """`sealtrain --help` is the list of what one can do."""
    shown = CliRunner().invoke(app, ["--help"]).output
    assert all(f"\n  {verb}" in shown for verb in VERBS)
    assert "Exit codes: 0 done" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    """`sealtrain VERB --help` works without any deployment."""
    shown = CliRunner().invoke(app, [verb, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output
    assert f"Example: sealtrain {verb}" in shown.output
    assert "--json" in shown.output


@pytest.mark.parametrize("arguments", [["runs"], ["status", "r0123456789ab"], ["logs", "r0123456789ab"]])
def test_without_a_deployment_it_says_what_to_do(arguments: list[str]) -> None:
    """No stand-in here and no settings: exit 3, one line of what and one of what to do."""
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 3
    assert shown.stdout == ""
    what, remedy = shown.stderr.splitlines()
    assert "no deployment is known here" in what
    assert "sealtrain up" in remedy


def test_an_error_is_one_json_document_when_json_was_asked_for() -> None:
    """With --json an error goes to stdout as JSON, with its code."""
    shown = CliRunner().invoke(app, ["runs", "--json"])
    assert shown.exit_code == 3
    assert json.loads(shown.stdout)["error"]["code"] == "no_deployment"


def test_a_run_id_is_checked_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed run id is refused by name."""
    for name, value in {
        "SEALTRAIN_PROJECT": "demo-project",
        "SEALTRAIN_PROJECT_NUMBER": "1",
        "SEALTRAIN_REGION": "us-central1",
        "SEALTRAIN_ENDPOINT": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["status", "../../etc"])
    assert shown.exit_code == 2
    assert "not a run id" in shown.stderr


def test_a_bad_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is not the loopback is refused."""
    monkeypatch.setenv("SEALTRAIN_PROJECT", "demo-project")
    monkeypatch.setenv("SEALTRAIN_PROJECT_NUMBER", "1")
    monkeypatch.setenv("SEALTRAIN_REGION", "us-central1")
    monkeypatch.setenv("SEALTRAIN_ENDPOINT", "http://example.com:80")
    shown = CliRunner().invoke(app, ["runs"])
    assert shown.exit_code == 2
    assert "SEALTRAIN_ENDPOINT" in shown.stderr


GOOGLE = {
    "SEALTRAIN_PROJECT": "demo-project",
    "SEALTRAIN_PROJECT_NUMBER": "1",
    "SEALTRAIN_REGION": "us-central1",
    "NO_GCE_CHECK": "true",
}


@pytest.mark.parametrize("verb", ["runs", "status", "logs", "fetch", "teardown", "submit"])
def test_on_google_cloud_without_credentials_it_says_how_to_sign_in(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a local address the same verbs speak to Google: exit 3 and the command that signs in."""
    for name, value in (GOOGLE | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    argument = {"runs": [], "submit": ["data.csv"]}.get(verb, ["r0123456789ab"])
    shown = CliRunner().invoke(app, [verb, *argument])
    assert shown.exit_code == 3
    assert "no Google credentials on this machine" in shown.stderr
    assert "gcloud auth application-default login" in shown.stderr


def test_credentials_that_are_not_accepted_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account whose tokens cannot be had is no crash: exit 3, with what the sign-in said."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "x@demo-project.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": "http://127.0.0.1:9/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    for name, value in GOOGLE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    shown = CliRunner().invoke(app, ["runs"])
    assert shown.exit_code == 3
    assert "Google does not accept the credentials" in shown.stderr


def test_what_the_machine_refuses_is_told_as_such(tmp_path: Path) -> None:
    """No space, or a file in the way: two lines and an exit code, not a crash."""
    (tmp_path / ".sealtrain").write_text("in the way")
    shown = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo"],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 2
    assert "this machine refuses" in shown.stderr
    full = errors.of_system(OSError(errno.ENOSPC, "No space left on device", "x"))
    assert errors.as_lines(full)[1] == "  do: free some space, then try again"


@pytest.mark.parametrize("arguments", [["nothing"], ["submit"], ["submit", "x", "--attempt", "0"], ["fetch"]])
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    """Usage errors have the code of input that cannot be used."""
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_starting_up_loads_no_google_library_and_no_progress_display() -> None:
    """Each verb loads what it needs; asking for help loads almost nothing."""
    heavy = ("google.auth", "google.cloud.storage", "rich", "requests", "tink", "jwt", "sklearn")
    code = f"import sys, cli.main; print([name for name in {heavy!r} if name in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "[]"
