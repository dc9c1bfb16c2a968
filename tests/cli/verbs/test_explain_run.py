"""`sealtrain explain RUN`: how a run ended and why, what is not shown of it, and what its judges found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sealtrain.listeners import record_attestation, record_completion
from sealtrain.rules import job_reasons, names
from sealtrain.rules.errors import NotFoundError, RefusedError
from typer.testing import CliRunner

from cli.main import app
from cli.verbs import explain as verb
from tests.cli.test_explain import codes, refused_run, world_entry
from tests.functions.closing import World


class Asked:
    """What the command answers about a run of a world in memory."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(_: Any, bucket: str, name: str) -> bytes | None:
            try:
                return world.storage.get(bucket, name)
            except NotFoundError:
                return None

        monkeypatch.setattr(verb.place, "find", lambda *_: world.settings)
        monkeypatch.setattr(verb, "Api", lambda _: None)
        monkeypatch.setattr(
            verb.objects, "listing", lambda _, bucket, prefix: world.storage.list(bucket, prefix)
        )
        monkeypatch.setattr(verb.objects, "find", lambda _, bucket, name: world.storage.stat(bucket, name))
        monkeypatch.setattr(verb.objects, "read", read)

    def told(self, run: str, code: int) -> dict[str, Any]:
        """As a document."""
        result = CliRunner().invoke(app, ["explain", run, "--json"])
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def text(self, run: str) -> str:
        """As lines."""
        return CliRunner().invoke(app, ["explain", run]).stdout


def test_what_was_judged_is_told_every_reason_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict and alerts of the deployment, while the run is not closed yet."""
    world, run = refused_run()
    world.call_raw(record_attestation, world_entry(run))
    told = Asked(world, monkeypatch).told(run, code=1)
    assert (told["evidence"], told["verdict"], told["ending"]) == ("run", "not_met", None)
    assert codes(told) == {"debug", "secboot", "instance"}


def test_a_failed_run_says_why_in_the_words_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened, what to do, and the claims that stay open; never that nothing is wrong."""
    world = World()
    run = world.start()
    world.attest(run)
    world.call(record_completion, **world.word(run, "failed", reason="rows_refused"))
    message = job_reasons.told("rows_refused")
    world.end(run, {"code": "FAILED", "message": message})
    closed = json.loads(world.storage.get(world.evidence, names.closed(run)))
    asked = Asked(world, monkeypatch)
    told = asked.told(run, code=1)
    ending = told["ending"]
    assert ending["outcome"] == closed["outcome"] == "failed"
    assert f"{ending['why']}; {ending['remedy']}" == closed["reason"] == message
    assert "dataset_bound" in {one["id"] for one in told["claims"]}
    text = asked.text(run)
    assert text.startswith("run: the run failed; ")
    assert "  do           the default trainer needs 10 rows or more\n" in text
    assert "no evidence: The model was trained on exactly the ordered data (no receipt" in text
    assert "nothing is wrong" not in text


def test_a_refused_upload_says_what_its_owner_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no bundle: the refusal in the inbox is its end."""
    world = World()
    with pytest.raises(RefusedError):
        world.admit("incoming/set/job.yaml", b"what: is this\n")
    [name] = [one.name for one in world.storage.list(world.inbox, "refused/")]
    refusal = json.loads(world.storage.get(world.inbox, name))
    told = Asked(world, monkeypatch).told(refusal["run"], code=1)
    assert told["ending"]["outcome"] == "refused"
    assert told["ending"]["remedy"] == refusal["remedy"]
    assert refusal["message"] in told["ending"]["why"]
    assert told["claims"] == []


def test_a_run_that_goes_on_is_not_said_to_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was found; that the claims are not drawn up yet, and what it waits for, is said."""
    world = World()
    run = world.admit()
    asked = Asked(world, monkeypatch)
    told = asked.told(run, code=0)
    assert (told["verdict"], told["ending"]) == ("not_judged", None)
    assert told["not_judged"] == ["claims: they are drawn up when the run is closed (running: plan_capacity)"]
    assert "nothing is wrong" not in asked.text(run)


def test_a_torn_down_run_is_told_what_stands_open_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reason is the asker's, which names no remedy: the logs, and another attempt."""
    from sealtrain.listeners import tear_down
    from sealtrain.steps import close_run

    world = World()
    run = world.start()
    world.call(tear_down, run=run, reason="wrong file")
    failure = {"code": "job_failed", "message": "gone", "remedy": "not this"}
    world.call(close_run, run=run, failure=failure)
    ending = Asked(world, monkeypatch).told(run, code=1)["ending"]
    assert (ending["outcome"], ending["why"][:10]) == ("torn_down", "wrong file")
    assert ending["remedy"].startswith(f"`sealtrain logs {run}` tells")
    assert "--attempt N" in ending["remedy"]


def test_an_unknown_run_is_exit_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where to find the known ones."""
    told = Asked(World(), monkeypatch).told("r000000000000", code=2)
    assert "`sealtrain runs`" in told["error"]["remedy"]
