"""`sealtrain submit`: upload a dataset, which starts a run; `--attempt N` runs the same upload again.

- `--dry-run` uploads nothing and needs no deployment: it judges the data's first bytes as admission does, and
  says what would be sent, and the dataset's id, which is what `dataset:` in job.yaml pins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sealtrain.rules import names
from sealtrain.rules.dataset import MANIFEST, looks_sealed
from sealtrain.rules.sealed import dataset_id
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, run_of

from cli import execution, follow, objects, place, run_records
from cli.api import Api
from cli.called import called
from cli.ending import ending
from cli.errors import EXIT_NO
from cli.output import emit, note, plain, say, table
from cli.progress import Phase, Progress
from cli.upload import Plan, look, plan, send


def dry_run(data: Path, job: Path | None, as_json: bool) -> int:
    """Check, and say what would be uploaded under which dataset id."""
    planned = plan(data, job)
    if not _sealed(planned):
        look(planned)
    files = _files(planned)
    dataset = dataset_id(files)
    if as_json:
        told = [{"path": path, "size": size, "sha256": sha256} for path, size, sha256 in files]
        emit({"dataset": dataset, "files": told, "objects": [name for name, _ in planned.files]})
        return 0
    say(f"dataset: {dataset}")
    for line in table(("file", "bytes", "digest"), [[path, f"{n:,}", digest] for path, n, digest in files]):
        say(line)
    for name, _ in planned.files:
        note(f"would be uploaded to {plain(name)}")
    return 0


def _files(planned: Plan) -> list[tuple[str, int, str]]:
    """Path, size and digest of each plain file; of a dataset that was sealed before, by its manifest."""
    if _sealed(planned):
        manifest = dict(planned.data)[MANIFEST]
        from sealtrain.sealing import parse_owners_manifest  # other submissions do not pay for loading it

        sealed, _ = parse_owners_manifest(manifest.read_bytes())
        return [(file.path, file.size, file.sha256) for file in sealed.files]
    return [(path, file.stat().st_size, f"sha256:{objects.sha256_of(file)}") for path, file in planned.data]


def _sealed(planned: Plan) -> bool:
    manifest = dict(planned.data).get(MANIFEST)
    return manifest is not None and looks_sealed(manifest.read_bytes())


def submit(data: Path, job: Path | None, attempt: int, wait: bool, within_s: float, as_json: bool) -> int:
    """Check, upload, say the run's id; with `wait`, 0 only if the run succeeded."""
    planned = plan(data, job)
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    upload, new = send(api, settings, planned, attempt)
    run = run_of(upload)
    if attempt > 1 and not _known(api, settings, run):
        execution.start(api, settings, upload)
    elif not new:
        note(f"these bytes were submitted before, as this run; --attempt {attempt + 1} is the one after it")
    if not wait:
        if as_json:
            emit({"run": run, "upload": _told(upload)})
        else:
            say(run)
            note(f"`sealtrain status {run}` tells how far it is; `sealtrain fetch {run}` brings the model")
        return 0
    if not as_json:
        say(f"run {run} of gs://{upload.bucket}/{plain(upload.object)}")
    ended = follow.follow(api, settings, upload, within_s, _silent if as_json else _line)
    report = objects.read_json(api, names.evidence_bucket(settings), names.report(ended.run, "json")) or {}
    if as_json:
        emit({**told(ended), **{key: report.get(key) for key in ("metrics", "totals")}})
    else:
        for line in end_lines(ended, report):
            say(line)
    return 0 if ended.outcome == "succeeded" else EXIT_NO


def end_lines(ended: Progress, report: dict[str, Any]) -> list[str]:
    """How a run ended, what came of it, and what to do next. `report` is its report.json, or empty."""
    if ended.refusal is not None:
        return refusal_lines(ended)
    lines = [f"{ended.run} {ended.outcome}" + (f": {ended.reason}" if ended.reason else "")]
    metrics = report.get("metrics", {})
    if "accuracy" in metrics:
        lines.append(f"  accuracy  {metrics['accuracy']:.3f} on the held-out part")
    if report:
        counts = ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in report["totals"].items() if n)
        lines.append(f"  claims    {counts} (trust root: {report['trust_root']['name']})")
    if ended.outcome == "succeeded":
        verb, what = "fetch", f"model, bundle and reports, into out/{ended.run}/"
    else:
        verb, what = "explain", "why, and what to do"
    lines.append(f"  next      {called()} {verb} {ended.run}    # {what}")
    return [plain(line) for line in lines]


def told(progress: Progress) -> dict[str, object]:
    """A run's progress as JSON."""
    return {
        "run": progress.run,
        "outcome": "refused" if progress.refusal is not None else progress.outcome or None,
        "reason": progress.reason or None,
        "followed_by": progress.followed_by or None,
        "refusal": progress.refusal,
        "phases": [
            {"word": p.word, "sentence": p.sentence, "time": p.time} for p in progress.phases if p.time
        ],
        "waiting_for": progress.waiting_for.word if progress.waiting_for else None,
    }


def refusal_lines(progress: Progress) -> list[str]:
    """Why an upload was refused, and what to do."""
    end = ending(progress)
    if end is None:
        return []
    lines = [f"{progress.run} {end.outcome}: {end.why}", *([f"  do: {end.remedy}"] if end.remedy else [])]
    return [plain(line) for line in lines]


def _known(api: Api, settings: Settings, run: str) -> bool:
    found = run_records.progress(api, settings, run)
    return found.ended or any(phase.time for phase in found.phases)


def _told(upload: Upload) -> dict[str, object]:
    return {
        "bucket": upload.bucket,
        "object": upload.object,
        "generation": upload.generation,
        "attempt": upload.attempt,
    }


def _line(phase: Phase) -> None:
    say(f"  {phase.time[11:19]}  {phase.word:<18} {phase.sentence}")


def _silent(_: Phase) -> None:
    """With --json nothing is said before the end."""
