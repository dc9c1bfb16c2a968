"""`sealtrain explain bundle.json`: failed checks, open claims, the run's end; "nothing" only if so."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sealtrain.listeners import record_attestation
from sealtrain.rules import bundle, claims, names, signing
from sealtrain.rules.errors import EvidenceError
from sealtrain.steps import verify_evidence
from typer.testing import CliRunner

from cli import remedies
from cli.main import app
from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World

PEM = authority.public_pem(BUNDLE_KEY)


@lru_cache(maxsize=3)
def closed(how: str) -> bytes:
    """The bundle of a run that ended this way."""
    world = World()
    if how == "refused":
        run = world.start()
        world.attest(run, dbgstat="enabled")
        with pytest.raises(EvidenceError) as caught:
            world.call(verify_evidence, run=run)
        world.end(run, msgspec.to_builtins(caught.value.body))
    elif how == "failed":
        run = world.prepare()
        world.end(
            run, {"code": "quota_exceeded", "message": "no quota", "got": "0", "remedy": "ask for more"}
        )
    else:
        run = world.succeed()
        if how == "logged":
            world.call_raw(record_attestation, world.log_entry(run))
        world.end(run)
    return world.storage.get(world.evidence, names.bundle(run))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the reader's keys."""
    keys = {"bundle_key_pem": PEM, "attestation_root_pem": authority.root_pem()}
    (tmp_path / "mine.json").write_text(json.dumps(keys))
    return tmp_path


def explained(folder: Path, data: bytes, code: int = 1) -> tuple[dict[str, Any], str]:
    """What is told of a bundle: as a document and as text."""
    file = folder / "bundle.json"
    file.write_bytes(data)
    arguments = ["explain", str(file), "--trust", str(folder / "mine.json")]
    document = CliRunner().invoke(app, [*arguments, "--json"])
    text = CliRunner().invoke(app, arguments)
    assert (document.exit_code, text.exit_code) == (code, code), text.output
    return json.loads(document.stdout), text.stdout


def test_only_where_nothing_is_wrong_it_says_so(folder: Path) -> None:
    """All checks hold, every claim is met or does not apply."""
    told, text = explained(folder, closed("logged"), code=0)
    assert (told["verdict"], told["checks"], told["claims"]) == ("met", [], [])
    assert told["ending"] == {"outcome": "succeeded", "why": "", "remedy": ""}
    assert text.startswith("bundle: nothing is wrong with it\n")


def test_a_claim_without_evidence_is_told_with_its_reason_and_remedy(folder: Path) -> None:
    """A run that succeeded, about which no log entry came."""
    told, text = explained(folder, closed("without logs"))
    assert told["verdict"] == "no_evidence"
    assert {(one["id"], one["verdict"]) for one in told["claims"]} == {
        ("key_log", "no_evidence"),
        ("logs_recorded", "no_evidence"),
    }
    assert "nothing is wrong" not in text
    log = "Only the attested machine opened the data key"
    assert f"no evidence: {log} (no data access entry of the key service was collected)" in text
    assert f"under runs/{told['about']['run']}/logs/ in the evidence bucket" in text


def test_a_failed_runs_bundle_says_why_it_ended_and_what_to_do(folder: Path) -> None:
    """The words of its record, apart; what it did not reach is told once."""
    told, text = explained(folder, closed("failed"))
    why = "quota_exceeded: no quota (got 0)"
    assert told["ending"] == {"outcome": "failed", "why": why, "remedy": "ask for more"}
    assert text.startswith("bundle: the run failed; some claims have no evidence\n")
    assert f"  why          {why}\n  do           ask for more\n" in text
    assert text.count(remedies.ENDED) == 1
    assert {one["verdict"] for one in told["claims"]} == {"no_evidence"}


def test_a_refused_runs_bundle_tells_findings_and_the_claims_that_are_not_met(folder: Path) -> None:
    """What failed in the attestation, and which claims it takes down."""
    told, text = explained(folder, closed("refused"))
    assert (told["verdict"], told["ending"]["outcome"]) == ("not_met", "refused")
    assert {one["reason"] for one in told["findings"]} == {"debug"}
    assert text.startswith("bundle: the run was refused; some claims are not met\n")
    unmet = {one["id"]: one for one in told["claims"] if one["verdict"] == "not_met"}
    assert "debug" in unmet["workload_attested"]["reasons"][0]
    assert "not met: The machine and its container were attested" in text
    assert unmet["workload_attested"]["remedy"] in text


def test_a_changed_bundle_is_told_by_the_check_that_fails_and_by_the_place(folder: Path) -> None:
    """The signature fails; inside, the record whose digest fits no more is named, and nothing is believed."""
    envelope = json.loads(closed("logged"))
    payload = base64.b64decode(envelope["payload"])
    at = payload.index(b"SEV", payload.rindex(b"/plan.json"))
    changed = payload[:at] + b"TDX" + payload[at + 3 :]
    envelope["payload"] = base64.b64encode(changed).decode()
    told, text = explained(folder, json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode())
    assert (told["verdict"], told["ending"], told["claims"]) == ("not_met", None, [])
    names_of = [one["name"] for one in told["checks"]]
    assert names_of[0] == "signature"
    records = next(one for one in told["checks"] if one["name"] == "records")
    assert "/plan.json" in records["detail"]
    assert "nobody's signature" in records["detail"]
    assert "check failed: signature" in text
    assert all(one["remedy"] for one in told["checks"])


def test_keys_of_another_are_told_as_such(folder: Path) -> None:
    """A good bundle under a stranger's key: which key signed by its own word, and what to get."""
    keys = json.loads((folder / "mine.json").read_text())
    keys["bundle_key_pem"] = authority.public_pem(authority.workload_key("stranger"))
    (folder / "mine.json").write_text(json.dumps(keys))
    told, _ = explained(folder, closed("logged"))
    (signature,) = told["checks"]
    assert signature["name"] == "signature"
    assert signing.key_id(PEM) in signature["detail"]
    assert "--trust FILE" in signature["remedy"]


def test_a_signed_lie_is_told_by_what_differs(folder: Path) -> None:
    """Of eleven claims the one that was bettered, and not two long lists."""
    statement = bundle.open_statement(closed("without logs"), PEM)
    better = tuple(
        msgspec.structs.replace(one, verdict="met") if one.id == "key_log" else one
        for one in statement.predicate.claims
    )
    predicate = msgspec.structs.replace(statement.predicate, claims=better)
    lie = msgspec.structs.replace(statement, predicate=predicate)
    told, _ = explained(folder, bundle.seal(lie, authority.ec_signer(BUNDLE_KEY)))
    (check,) = told["checks"]
    assert (check["name"], check["detail"]) == (
        "claims",
        "key_log.verdict stated met, computed no_evidence",
    )
    assert "ask its operator" in check["remedy"]


def test_what_to_do_is_known_for_every_check_and_every_claim() -> None:
    """The lists here and the lists in the rules are the same."""
    every = {
        one.name for one in bundle.verify_bundle(closed("logged"), PEM, authority.root_pem(), authority.NOW)
    }
    assert set(remedies.CHECKS) == {*every, "contents"}
    assert set(remedies.CLAIMS) == {name for name, *_ in claims.TABLE}
