"""The verbs of `sealtrain` and their options; a verb's work is in `cli.verbs`, imported when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from sealtrain.rules.errors import SealtrainError

from cli import errors
from cli.output import emit, note

app = typer.Typer(
    help="Upload a dataset; get back a model trained in an attested confidential VM, a proof, and an empty "
    "project.\n\n" + errors.EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Weather(StrEnum):
    """How the stand-in's cloud behaves."""

    gentle = "gentle"
    harsh = "harsh"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Run = Annotated[str, typer.Argument(help="Run id: r and 12 hex digits.", metavar="RUN")]
Wait = Annotated[float, typer.Option(help="Longest wait, in seconds.", min=1)]


@app.command(epilog="Example: sealtrain up --json --trainer my-trainer")
def up(
    state: Annotated[
        Path, typer.Option(help="Folder that keeps the stand-in's state; a restart goes on with it.")
    ] = Path(".sealtrain/state"),
    port: Annotated[int, typer.Option(help="Port of the APIs; 0: any free one.", min=0, max=65535)] = 0,
    trainer: Annotated[
        list[Path] | None, typer.Option(help="Also build, push and approve the trainer in this folder.")
    ] = None,
    weather: Annotated[
        Weather, typer.Option(help="harsh: things fail, or take hours that the clock leaps over.")
    ] = Weather.gentle,
    seed: Annotated[int, typer.Option(help="What harsh weather is drawn from.")] = 0,
    as_json: Json = False,
) -> None:
    """Start the stand-in cloud with everything deployed, until Ctrl-C."""
    from cli.verbs import up as verb

    _run(lambda: verb.up(state, port, trainer or [], as_json, weather.value, seed), as_json)


@app.command(epilog="Example: sealtrain demo --out results")
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("out"),
    within_s: Wait = 240,
    as_json: Json = False,
) -> None:
    """Run the main job once, on real data, on a stand-in of its own."""
    from cli.verbs import demo as verb

    _run(lambda: verb.demo(out, within_s, as_json), as_json)


@app.command(epilog="Example: sealtrain submit patients.csv --job job.yaml --wait")
def submit(
    data: Annotated[Path, typer.Argument(help="A CSV file, or a folder of data files.", metavar="DATA")],
    job: Annotated[Path | None, typer.Option(help="job.yaml of the run.")] = None,
    attempt: Annotated[int, typer.Option(help="Run the same upload again: attempt N.", min=1, max=1000)] = 1,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress until the run is closed.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Upload nothing; print the dataset's id, which job.yaml may pin."),
    ] = False,
    within_s: Wait = 3600,
    as_json: Json = False,
) -> None:
    """Upload a dataset, which starts a run, and print the run's id."""
    from cli.verbs import submit as verb

    if dry_run:
        _run(lambda: verb.dry_run(data, job, as_json), as_json)
    _run(lambda: verb.submit(data, job, attempt, wait, within_s, as_json), as_json)


@app.command(epilog="Example: sealtrain runs --json")
def runs(as_json: Json = False) -> None:
    """List the deployment's runs."""
    from cli.verbs import runs as verb

    _run(lambda: verb.runs(as_json), as_json)


@app.command(epilog="Example: sealtrain status r0123456789ab")
def status(run: Run, as_json: Json = False) -> None:
    """Show how far a run is, and what it has made."""
    from cli.verbs import status as verb

    _run(lambda: verb.status(run, as_json), as_json)


@app.command(epilog="Example: sealtrain logs r0123456789ab")
def logs(run: Run, as_json: Json = False) -> None:
    """Show what the functions logged about a run, oldest first."""
    from cli.verbs import logs as verb

    _run(lambda: verb.logs(run, as_json), as_json)


@app.command(epilog="Example: sealtrain fetch r0123456789ab -o results")
def fetch(
    run: Run,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder (default: out/RUN).")] = None,
    as_json: Json = False,
) -> None:
    """Open the model for its owner, and save it with bundle and reports."""
    from cli.verbs import fetch as verb

    _run(lambda: verb.fetch(run, out or Path("out") / run, as_json), as_json)


@app.command(epilog="Example: sealtrain seal patients/")
def seal(
    data: Annotated[Path, typer.Argument(help="A folder of data files, or one file.", metavar="DATA")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Sealed folder (default: DATA.sealed).")
    ] = None,
    key: Annotated[str, typer.Option(help="Your key in Cloud KMS (default: the deployment's for you).")] = "",
    as_json: Json = False,
) -> None:
    """Seal a dataset before upload, so that no service can read it. Cut off, the same command goes on."""
    from cli.verbs import seal as verb

    _run(lambda: verb.seal(data, out, key, as_json), as_json)


@app.command("open", epilog="Example: sealtrain open patients.sealed -o opened")
def open_(
    sealed: Annotated[str, typer.Argument(help="A sealed folder, gs://BUCKET/FOLDER/, or a run.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")] = Path("opened"),
    as_json: Json = False,
) -> None:
    """Open a model or a sealed dataset, with a key that you may use."""
    from cli.verbs import open as verb

    _run(lambda: verb.open_(sealed, out, as_json), as_json)


@app.command(epilog="Example: sealtrain rewrap patients.sealed")
def rewrap(
    sealed: Annotated[str, typer.Argument(help="A sealed folder, or gs://BUCKET/FOLDER/.")],
    key: Annotated[str, typer.Option(help="Another key (default: the same, its newest version).")] = "",
    as_json: Json = False,
) -> None:
    """Wrap a data key by the newest version of its key, or by another; no part is touched."""
    from cli.verbs import rewrap as verb

    _run(lambda: verb.rewrap(sealed, key, as_json), as_json)


@app.command(epilog="Example: sealtrain teardown r0123456789ab --reason 'wrong file'")
def teardown(
    run: Run,
    reason: Annotated[str, typer.Option(help="Why; it goes on record.")] = "asked for by the operator",
    as_json: Json = False,
) -> None:
    """End a run now: ask for everything that it made to be removed."""
    from cli.verbs import teardown as verb

    _run(lambda: verb.teardown(run, reason, as_json), as_json)


@app.command(epilog="Example: sealtrain resume --reason 'the budget was raised'")
def resume(
    reason: Annotated[str, typer.Option(help="Why; it goes on record.")] = "asked for by the operator",
    as_json: Json = False,
) -> None:
    """Admit runs again after the budget was spent: lift the pause that stands."""
    from cli.verbs import resume as verb

    _run(lambda: verb.resume(reason, as_json), as_json)


@app.command(epilog="Example: sealtrain verify results/bundle.json --trust trust.json")
def verify(
    bundle: Annotated[Path, typer.Argument(help="bundle.json of a run.", metavar="BUNDLE")],
    trust: Annotated[
        Path | None, typer.Option(help="Public keys to trust; default: trust.json beside the bundle.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle without any network. Exit code 1 if any check fails."""
    from cli.verbs import verify as verb

    _run(lambda: verb.verify(bundle, trust, as_json), as_json)


@app.command(epilog="Example: sealtrain explain r0123456789ab")
def explain(
    evidence: Annotated[
        str,
        typer.Argument(
            help="A verdict.json, alert, token, token.json, bundle.json or TDX quote; or a run's id.",
            metavar="EVIDENCE",
        ),
    ],
    trust: Annotated[
        Path | None, typer.Option(help="Public keys to trust; default: trust.json beside the evidence.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="The issuer's key set, for a token in OIDC form.")] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Fetch the issuer's key set from its fixed address.")
    ] = False,
    audience: Annotated[str | None, typer.Option(help="Whom a token has to be for.")] = None,
    nonce: Annotated[str | None, typer.Option(help="The nonce that a token has to hold.")] = None,
    collateral: Annotated[Path | None, typer.Option(help="Intel's collateral for a TDX quote.")] = None,
    at: Annotated[str | None, typer.Option(help="Judge at this time (RFC 3339); default: now.")] = None,
    as_json: Json = False,
) -> None:
    """Say why a run ended as it did, or what is wrong with evidence, and what to do."""
    from cli.verbs import explain as verb

    _run(
        lambda: verb.explain(evidence, trust, keys, online, audience, nonce, collateral, at, as_json), as_json
    )


@app.command(epilog="Example: sealtrain doctor --deployed")
def doctor(
    keys: Annotated[
        bool, typer.Option("--keys", help="Who can decrypt with the release keys, and who could come to.")
    ] = False,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="Compare what stands with what was described; send a canary.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a project before spending, or a deployment after, and say what mends each fault."""
    from cli.verbs import doctor as verb
    from cli.verbs import doctor_keys

    _run(lambda: doctor_keys.doctor_keys(as_json) if keys else verb.doctor(deployed, as_json), as_json)


def _run(verb: Callable[[], int], as_json: bool) -> None:
    """Run a verb; its errors become two lines (or one JSON document) and an exit code."""
    try:
        code = verb()
    except SealtrainError as error:
        code = _failed(error, as_json)
    except KeyboardInterrupt:
        note("sealtrain: interrupted")
        code = errors.EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        code = _failed(errors.of_system(error), as_json)
    raise typer.Exit(code)


def _failed(error: SealtrainError, as_json: bool) -> int:
    """Say an error; its exit code."""
    if as_json:
        emit(errors.as_json(error))
    for line in errors.as_lines(error):
        note(line)
    return errors.exit_code(error)


def main() -> None:
    """Entry point of the command `sealtrain`."""
    app()


if __name__ == "__main__":
    main()
