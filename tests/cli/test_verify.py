"""`sealtrain verify` from outside: exit codes, no network, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules import names
from typer.testing import CliRunner

from cli.main import app
from cli.trust import Trust, check
from cli.verbs.verify import lines
from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World

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


KEYS = Trust(bundle_key_pem=authority.public_pem(BUNDLE_KEY), attestation_root_pem=authority.root_pem())


LATER = authority.NOW + timedelta(days=1)


@lru_cache(maxsize=1)
def good() -> bytes:
    """The bundle of a run that went well."""
    world = World()
    run = world.succeed()
    world.end(run)
    return world.storage.get(world.evidence, names.bundle(run))


def written(folder: Path, bundle: bytes, keys: Trust = KEYS) -> list[str]:
    """The command for a bundle and keys that lie in a folder."""
    (folder / "bundle.json").write_bytes(bundle)
    file = folder / "mine.json"
    file.write_text(
        json.dumps(
            {
                "bundle_key_pem": keys.bundle_key_pem,
                "attestation_root_pem": keys.attestation_root_pem,
            }
        )
    )
    return ["verify", str(folder / "bundle.json"), "--trust", str(file)]


def test_a_good_bundle_holds_and_says_who_vouches_for_it() -> None:
    """Every check ok, SIMULATED in the first line, the claims below."""
    checks, statement = check(good(), KEYS, LATER)
    shown = lines(checks, statement, "given with --trust mine.json")
    assert shown[0] == "trust root  SIMULATED"
    assert shown[1] == "keys        given with --trust mine.json"
    assert not [line for line in shown if line.startswith("FAILED")]
    assert shown[-1] == "the bundle holds"
    assert any("exactly the ordered data" in line for line in shown)


def test_a_bundle_from_the_future_does_not_hold() -> None:
    """A run cannot have been closed after it is looked at."""
    checks, _ = check(good(), KEYS, authority.NOW - timedelta(days=1))
    assert [one.name for one in checks if not one.ok] == ["time"]


def test_under_other_keys_it_does_not_hold(tmp_path: Path) -> None:
    """A stranger's signing key, or another root of attestation: exit 1."""
    stranger = authority.public_pem(authority.workload_key("stranger"))
    other_root = authority.pem(authority.certificate("other", "other", ca=True))
    for keys in (
        Trust(bundle_key_pem=stranger, attestation_root_pem=KEYS.attestation_root_pem),
        Trust(bundle_key_pem=KEYS.bundle_key_pem, attestation_root_pem=other_root),
    ):
        shown = CliRunner().invoke(app, written(tmp_path, good(), keys))
        assert shown.exit_code == 1
        assert "FAILED" in shown.stdout


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_byte_of_a_bundle_can_change(data: st.DataObject) -> None:
    """Whichever byte is changed to whatever else, some check fails."""
    bundle = bytearray(good())
    at = data.draw(st.integers(0, len(bundle) - 1))
    bundle[at] ^= data.draw(st.integers(1, 255))
    checks, _ = check(bytes(bundle), KEYS, LATER)
    assert not all(one.ok for one in checks)


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
    shown = CliRunner().invoke(app, ["verify", str(folder / "bundle.json")])
    assert "prove nothing" in shown.stderr
    assert "keys        from trust.json beside it, pinned by nobody" in shown.stdout


def test_whose_the_key_is_is_said_by_who_knows(tmp_path: Path) -> None:
    """The check names the key; that the reader gave it, and which file it came from, is said apart."""
    shown = CliRunner().invoke(app, written(tmp_path, good())).stdout
    assert f"keys        given with --trust {tmp_path / 'mine.json'}" in shown
    assert "signature: by the key that it is checked with, sha256:" in shown
    assert "pinned" not in shown


def test_a_failed_check_says_what_to_do(tmp_path: Path) -> None:
    """Below it, for people, and beside it in the document."""
    stranger = Trust(
        bundle_key_pem=authority.public_pem(authority.workload_key("stranger")),
        attestation_root_pem=KEYS.attestation_root_pem,
    )
    arguments = written(tmp_path, good(), stranger)
    shown = CliRunner().invoke(app, arguments).stdout.splitlines()
    at = next(
        number for number, line in enumerate(shown) if line.startswith("FAILED  signature: another key")
    )
    assert shown[at + 1].startswith("        do: take the keys of the deployment that signed it")
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [("--trust FILE" in one["remedy"]) for one in told["checks"]] == [True]
    assert told["keys"].startswith("given with --trust")


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
