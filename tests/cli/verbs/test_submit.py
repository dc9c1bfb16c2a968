"""What `sealtrain submit` says before and after a run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sealtrain.rules import names
from sealtrain.rules.errors import RefusedError
from sealtrain.rules.sealed import dataset_id
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, later, run_of

from cli.progress import Progress
from cli.verbs import submit as verb
from cli.verbs.submit import dry_run, end_lines

RUN = "r0123456789ab"
REPORT = {
    "metrics": {"accuracy": 0.9737},
    "totals": {"met": 10, "not_met": 0, "no_evidence": 0, "not_applicable": 1},
    "trust_root": {"name": "SIMULATED"},
}


def test_a_dry_run_says_the_id_that_a_job_may_pin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any deployment: the same id that the order will name, over all files but the job."""
    data = tmp_path / "cohort"
    (data / "north").mkdir(parents=True)
    (data / "a.csv").write_text("a,b\n1,2\n")
    (data / "north" / "b.csv").write_text("a,b\n3,4\n")
    (data / "job.yaml").write_text("")
    assert dry_run(data, None, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = [
        (path, 8, f"sha256:{hashlib.sha256((data / path).read_bytes()).hexdigest()}")
        for path in ("a.csv", "north/b.csv")
    ]
    assert told["dataset"] == dataset_id(wanted)
    assert told["objects"][-1] == "incoming/cohort/job.yaml"
    assert dry_run(data, None, as_json=False) == 0
    assert f"dataset: {dataset_id(wanted)}\n" in capsys.readouterr().out


def test_a_success_tells_accuracy_claims_and_the_next_command() -> None:
    """Whoever waited reads what came of it and how to get it."""
    shown = end_lines(Progress(run=RUN, phases=(), outcome="succeeded"), REPORT)
    assert shown == [
        f"{RUN} succeeded",
        "  accuracy  0.974 on the held-out part",
        "  claims    10 met, 1 not applicable (trust root: SIMULATED)",
        f"  next      sealtrain fetch {RUN}    # model, bundle and reports, into out/{RUN}/",
    ]


@pytest.mark.parametrize(
    ("data", "job", "got"),
    [
        ("a,b\n", "", "1 rows, 2 columns"),
        ("a,b\n1,x\n2,\n", "", "column 2, which is to be learned: nothing in row 3"),
        ("a,b\n1,x\n2,y\n", "arguments: {targt: b}\n", "targt"),
        ("prose\n", "format: files\ntrainer: x@sha256:00\n", ""),
    ],
)
def test_a_dry_run_judges_the_data_as_admission_does(tmp_path: Path, data: str, job: str, got: str) -> None:
    """What the first bytes show is refused before anything is sent; another trainer's files are its own."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.csv").write_text(data)
    (tmp_path / "set" / "job.yaml").write_text(job)
    if not got:
        assert dry_run(tmp_path / "set", None, as_json=True) == 0
        return
    with pytest.raises(RefusedError) as refused:
        dry_run(tmp_path / "set", None, as_json=True)
    assert refused.value.body.got == got


def test_a_failure_tells_its_reason_and_who_explains_it() -> None:
    """The next command says why, and what to do."""
    told = Progress(run=RUN, phases=(), outcome="failed", reason="trainer_disk: too much")
    first, *_, last = end_lines(told, {})
    assert first == f"{RUN} failed: trainer_disk: too much"
    assert f"sealtrain explain {RUN}" in last


def test_a_refusal_tells_field_got_expected_and_remedy() -> None:
    """The words that lie in the inbox."""
    refusal = {"message": "no", "field": "trainer", "got": "x", "expected": "y", "remedy": "do z"}
    shown = end_lines(Progress(run=RUN, phases=(), refusal=refusal), {})
    assert shown == [f"{RUN} refused: no (field trainer; got x; expected y)", "  do: do z"]


def test_whoever_waited_through_attempts_is_told_of_the_last_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metrics, claims and the next command are those of the run that made the model."""
    first = Upload(bucket="b", object="incoming/a.csv", generation="1", attempt=1)
    last = run_of(later(first))
    settings = Settings(project="p", project_number="1", region="us-central1")
    monkeypatch.setattr(verb, "plan", lambda *_: None)
    monkeypatch.setattr(verb.place, "find", lambda *_: settings)
    monkeypatch.setattr(verb, "Api", lambda *_: None)
    monkeypatch.setattr(verb, "send", lambda *_: (first, True))
    ended = Progress(run=last, phases=(), outcome="succeeded")
    monkeypatch.setattr(verb.follow, "follow", lambda *_: ended)
    reports = {names.report(last, "json"): REPORT}
    monkeypatch.setattr(verb.objects, "read_json", lambda _api, _bucket, name: reports.get(name))

    assert verb.submit(Path("a.csv"), None, 1, wait=True, within_s=10, as_json=True) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["metrics"]) == (last, REPORT["metrics"])
