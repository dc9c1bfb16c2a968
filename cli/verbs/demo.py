"""`sealtrain demo`: the main job once, on real data, on a stand-in of its own that is always stopped again.

- Exit 0 only if the run succeeded, its bundle verifies, no claim is not met, and nothing is left that bills.
- Bounded in time; on a time-out the phase that was waited for and the last error are named.
- The state of a demo that did not succeed is kept, and its folder named; otherwise it is removed.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import run_of

from cli import follow, upload
from cli.api import Api
from cli.dataset import write_breast_cancer
from cli.deploy.stand_in import MACHINE_ENV, deploy
from cli.errors import EXIT_NO, TimeoutReachedError
from cli.output import emit, note, say
from cli.place import RECORD
from cli.progress import Phase
from cli.signals import interrupt_on_signals
from cli.stand_in import StandIn
from cli.summary import Summary, bills, lines, summarise, told
from cli.teller import Teller
from cli.trust import check
from cli.verbs import logs
from cli.verbs.fetch import public_keys, save
from cli.verbs.submit import refusal_lines


def demo(out: Path, within_s: float, as_json: bool) -> int:
    """Run it and tell; as JSON one document at the end, and the progress on stderr."""
    interrupt_on_signals()
    parent = RECORD.parent.resolve()
    parent.mkdir(exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="demo-", dir=parent))
    good = False
    try:
        good = _run(state, out, within_s, as_json)
    finally:
        if good:
            shutil.rmtree(state, ignore_errors=True)
        else:
            cloud = state / "cloud"
            note(f"the demo's state is kept: `sealtrain up --state {cloud}` goes on with it")
            note(f"what the stand-in printed: {cloud / 'stand-in.log'}")
    return 0 if good else EXIT_NO


def _run(state: Path, out: Path, within_s: float, as_json: bool) -> bool:
    with Teller(note if as_json else say) as teller:
        teller.waiting("starting the stand-in cloud")
        with StandIn(state / "cloud", 0, MACHINE_ENV) as stand_in:
            teller.done("stand-in", f"answers as Google Cloud at {stand_in.ready.endpoint}")
            teller.waiting("deploying functions, workflow, keys, buckets, grants")
            deployed = deploy(stand_in.ready, stand_in.state, ())
            teller.done(
                "deploy", f"{deployed.outcome.created} resources made, each function under its own account"
            )
            summary = _train(deployed.settings, state, out, within_s, teller)
    if summary is None:
        return False
    if as_json:
        emit(told(summary))
    for line in [] if as_json else ["", *lines(summary)]:
        say(line)
    return not summary.shortcomings


def _train(settings: Settings, state: Path, out: Path, within_s: float, teller: Teller) -> Summary | None:
    data = state / "breast-cancer.csv"
    rows, features = write_breast_cancer(data)
    api = Api(settings)
    sent, _ = upload.send(api, settings, upload.plan(data, None), 1)
    run = run_of(sent)
    teller.done(
        "upload", f"{rows} patients, {features} features to gs://{sent.bucket}/{sent.object}: run {run}"
    )
    teller.waiting("start_run")

    def reached(phase: Phase) -> None:
        teller.done(phase.word, phase.sentence)
        teller.waiting(f"after {phase.word}")

    try:
        ended = follow.follow(api, settings, sent, within_s, reached)
    except TimeoutReachedError:
        for entry in logs.read(api, settings.project, run):
            if entry.get("severity") in ("WARNING", "ERROR", "CRITICAL"):
                note(logs.line(entry))
        raise
    if ended.refusal is not None:
        for line in refusal_lines(ended):
            note(line)
        return None
    folder = out / run
    shutil.rmtree(folder, ignore_errors=True)
    files, statement = save(api, settings, run, folder)
    keys = public_keys(api, settings)
    checks, _ = check((folder / "bundle.json").read_bytes(), keys, datetime.now(UTC))
    inventory = api.get("control", "/_control/inventory")["resources"]
    return summarise(statement, checks, keys.attestation_root_pem, bills(inventory, run), folder, files)
