"""`sealtrain submit`: upload a dataset, which starts a run; `--attempt N` runs the same upload again."""

from __future__ import annotations

import os
from pathlib import Path

from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, run_of

from cli import execution, follow, place, run_records
from cli.api import Api
from cli.errors import EXIT_NO
from cli.output import emit, note, plain, say
from cli.progress import Phase, Progress
from cli.upload import plan, send


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
        note(f"these bytes were submitted before, as this run; --attempt {attempt + 1} runs them again")
    if not wait:
        if as_json:
            emit({"run": run, "upload": _told(upload)})
        else:
            say(run)
        return 0
    if not as_json:
        say(f"run {run} of gs://{upload.bucket}/{plain(upload.object)}")
    ended = follow.follow(api, settings, upload, within_s, _silent if as_json else _line)
    return finish(ended, as_json)


def finish(ended: Progress, as_json: bool) -> int:
    """Say how a run ended; its exit code."""
    if as_json:
        emit(told(ended))
    elif ended.refusal is not None:
        for line in refusal_lines(ended):
            note(line)
    else:
        say(f"{ended.run} {ended.outcome}" + (f": {plain(ended.reason)}" if ended.reason else ""))
    return 0 if ended.outcome == "succeeded" else EXIT_NO


def told(progress: Progress) -> dict[str, object]:
    """A run's progress as JSON."""
    return {
        "run": progress.run,
        "outcome": "refused" if progress.refusal is not None else progress.outcome or None,
        "reason": progress.reason or None,
        "refusal": progress.refusal,
        "phases": [
            {"word": p.word, "sentence": p.sentence, "time": p.time} for p in progress.phases if p.time
        ],
        "waiting_for": progress.waiting_for.word if progress.waiting_for else None,
    }


def refusal_lines(progress: Progress) -> list[str]:
    """Why an upload was refused, and what to do."""
    refusal = progress.refusal or {}
    said = [f"{key} {refusal[key]}" for key in ("field", "got", "expected") if refusal.get(key)]
    lines = [f"{progress.run} refused: {refusal.get('message', '')} ({'; '.join(said)})"]
    if refusal.get("remedy"):
        lines.append(f"  do: {refusal['remedy']}")
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
