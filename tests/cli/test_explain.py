"""`sealtrain explain`: every kind of evidence, each reason told with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sealtrain.listeners import record_attestation
from sealtrain.rules import canonical, names, records
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.evidence import reasons
from sealtrain.rules.evidence.findings import Finding
from sealtrain.steps import verify_evidence
from typer.testing import CliRunner

from cli.main import app
from cli.told import Told
from cli.verbs.explain import lines
from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World
from tests.functions.rules.evidence.test_key_sets import jwk, key_set, oidc

VECTORS = Path(__file__).parents[1] / "data" / "vectors" / "tdx"
THEN = authority.NOW.isoformat()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the keys to trust beside the evidence."""
    trust = {"bundle_key_pem": authority.public_pem(BUNDLE_KEY), "attestation_root_pem": authority.root_pem()}
    (tmp_path / "trust.json").write_text(json.dumps(trust))
    return tmp_path


def asked(folder: Path, data: bytes | str, *options: str, code: int = 1) -> dict[str, Any]:
    """What the command answers about evidence, as JSON."""
    file = folder / "evidence"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    result = CliRunner().invoke(app, ["explain", str(file), "--json", *options])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def codes(told: dict[str, Any]) -> set[str]:
    return {one["reason"] for one in told["findings"]}


def refused_run() -> tuple[World, str]:
    """A run whose machine was refused for two reasons."""
    world = World()
    run = world.start()
    world.attest(run, dbgstat="enabled", secboot=False)
    with pytest.raises(EvidenceError):
        world.call(verify_evidence, run=run)
    return world, run


@pytest.mark.parametrize("code", sorted(reasons.load()))
def test_every_reason_code_has_an_answer(code: str) -> None:
    """Whatever the reason, the reader is told what it means, whether it is bad, and what to do."""
    finding = Finding(code, "a.field", "got this", "wanted that", "A rule.")
    told = Told("verdict", (finding,))
    text = "\n".join(lines(told))
    known = reasons.load()[code]
    assert known.means in text
    assert known.remedy in text
    assert ("could not be checked" in text) == (known.kind == "unchecked")
    assert "got this" in text
    assert "wanted that" in text


def test_a_verdict_is_explained(folder: Path) -> None:
    """Each reason on record, with got and expected."""
    world, run = refused_run()
    told = asked(folder, world.storage.get(world.evidence, names.verdict(run)))
    assert (told["evidence"], told["verdict"], codes(told)) == ("verdict", "not_met", {"debug", "secboot"})
    debug = next(one for one in told["findings"] if one["reason"] == "debug")
    assert (debug["got"], debug["kind"]) == ('"enabled"', "bad")
    assert "confidential-space-debug" in debug["remedy"]
    assert told["about"]["run"] == run


def test_an_alert_is_explained(folder: Path) -> None:
    """What a log entry raised is told like a verdict."""
    world = World()
    run = world.start()
    world.call_raw(record_attestation, world_entry(run))
    [name] = [one for _, one in world.storage.objects if one.endswith(".alert.json")]
    told = asked(folder, world.storage.get(world.evidence, name))
    assert (told["evidence"], codes(told)) == ("alert", {"instance"})


def world_entry(run: str) -> dict[str, Any]:
    return {
        "insertId": "e1",
        "logName": "projects/demo-project/logs/compute.googleapis.com%2Fshielded_vm_integrity",
        "timestamp": "2026-11-22T12:00:10Z",
        "resource": {"type": "gce_instance", "labels": {"instance_id": "666"}},
        "labels": {"compute.googleapis.com/resource_name": f"sealtrain-{run}"},
    }


def test_a_bundle_is_explained_with_its_token_judged_again(folder: Path) -> None:
    """A good run's bundle has nothing to explain; a refused run's has its reasons."""
    world = World()
    run = world.succeed()
    world.call_raw(record_attestation, world.log_entry(run))
    world.end(run)
    told = asked(folder, world.storage.get(world.evidence, names.bundle(run)), code=0)
    assert (told["evidence"], told["verdict"], told["about"]["trust root"]) == ("bundle", "met", "SIMULATED")
    assert (told["checks"], told["findings"], told["claims"]) == ([], [], [])


def test_a_token_record_is_judged_with_the_nonce_that_it_binds(folder: Path) -> None:
    """A record's order and key give the nonce; deployment and run are named as not judged."""
    pem = authority.public_pem(authority.workload_key())
    digest = "sha256:" + "12" * 32
    text = authority.issue(authority.claims(records.nonce(digest, pem)))
    record = canonical.dumps(records.TokenRecord(text, pem, digest))
    told = asked(folder, record, "--at", THEN, "--audience", authority.AUDIENCE, code=0)
    assert told["verdict"] == "not_judged"
    assert {"instance", "approved-image"} <= set(told["not_judged"])
    assert "nonce" not in told["not_judged"]
    other = canonical.dumps(records.TokenRecord(text, pem, "sha256:" + "34" * 32))
    assert codes(asked(folder, other, "--at", THEN)) == {"nonce"}


def test_a_bare_token_is_judged_as_far_as_it_can_be(folder: Path) -> None:
    """Signature, times and general clauses; audience and nonce only where they are given."""
    good = authority.issue(authority.claims())
    told = asked(folder, good, "--at", THEN, code=0)
    assert {"audience", "nonce"} <= set(told["not_judged"])
    assert codes(asked(folder, good, "--at", THEN, "--audience", "other")) == {"audience"}
    assert codes(asked(folder, good, "--at", THEN, "--nonce", "other")) == {"nonce"}
    assert codes(asked(folder, good + "x", "--at", THEN)) <= {"malformed", "signature"}
    assert codes(asked(folder, authority.issue(authority.claims(swname="GCE")), "--at", THEN)) == {"swname"}
    assert codes(asked(folder, good)) <= {"expired", "path"}


def test_an_oidc_token_needs_the_issuers_keys(folder: Path) -> None:
    """With the issuer's key set it is judged; without any, its key is not one of the issuer's."""
    keys = folder / "jwks.json"
    keys.write_bytes(key_set(jwk("k1")))
    text = oidc(authority.claims())
    assert asked(folder, text, "--at", THEN, "--keys", str(keys), code=0)["verdict"] == "not_judged"
    intel = oidc(authority.claims(iss="https://portal.trustauthority.intel.com"), alg="PS384")
    assert asked(folder, intel, "--at", THEN, "--keys", str(keys), code=0)["verdict"] == "not_judged"
    keys.write_bytes(b"{}")
    told = asked(folder, text, "--at", THEN, "--keys", str(keys))
    assert (told["verdict"], codes(told)) == ("unchecked", {"keys_unusable"})


def test_keys_are_fetched_from_the_issuer_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is the policy's, whatever the token says; no answer is "could not be checked"."""
    import requests

    asked_for: list[str] = []

    def get(url: str, **_: Any) -> Any:
        asked_for.append(url)
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", get)
    text = oidc(authority.claims(), jku="http://169.254.169.254/keys")
    told = asked(folder, text, "--at", THEN, "--online")
    assert (told["verdict"], codes(told)) == ("unchecked", {"keys_unavailable"})
    assert len(asked_for) == 1
    assert asked_for[0].startswith("https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@")


def test_a_quote_is_explained(folder: Path) -> None:
    """With collateral it is judged; without, it could not be checked; an SGX quote is bad."""
    quote = (VECTORS / "v4-uptodate.quote.bin").read_bytes()
    collateral = str(VECTORS / "v4-uptodate.collateral.json")
    then = ("--at", "2025-06-20T12:00:00+00:00")
    told = asked(folder, quote, *then, "--collateral", collateral, code=0)
    assert (told["verdict"], told["about"]["tcb_status"]) == ("not_judged", "UpToDate")
    told = asked(folder, quote, *then)
    assert (told["verdict"], codes(told)) == ("unchecked", {"collateral_missing"})
    sgx = (VECTORS / "bad" / "v4-uptodate.tee-type-sgx.bin").read_bytes()
    assert codes(asked(folder, sgx, *then)) == {"not_a_td"}


@pytest.mark.parametrize("data", [b"", b"hello", b"{}", b'{"a":1,"a":2}', b"[1]", b"\x00" * 100, b"{" * 5000])
def test_what_is_no_evidence_is_told(folder: Path, data: bytes) -> None:
    """Exit code 2 and one error, whatever the file holds."""
    told = asked(folder, data, code=2)
    assert told["error"]["field"] == "EVIDENCE"


def test_bad_options_are_told(folder: Path) -> None:
    """A time that is none, and a file that is not there."""
    assert asked(folder, "a.b.c", "--at", "soon", code=2)["error"]["field"] == "--at"
    assert asked(folder, "a.b.c", "--keys", "nowhere", code=2)["error"]["field"] == "--keys"
