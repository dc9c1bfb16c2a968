"""`sealtrain up`: the stand-in cloud with everything deployed, until Ctrl-C.

- A restart on the same state goes on with it; a second `up` on it is refused while the first runs.
- The record in `.sealtrain/running.json` lets the other verbs in this folder find it.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from sealtrain.rules import names

from cli.api import Api
from cli.deploy.stand_in import MACHINE_ENV, Deployed, deploy, environment
from cli.output import emit, note, say
from cli.place import Running, forget_record, write_record
from cli.signals import interrupt_on_signals
from cli.stand_in import StandIn

# A certificate is no fit value for a line to paste; who needs it reads it from the stand-in.
_NOT_EXPORTED = frozenset({"SEALTRAIN_ATTESTATION_ROOT"})


def up(
    state: Path, port: int, trainers: Sequence[Path], as_json: bool, weather: str = "gentle", seed: int = 0
) -> int:
    """Start, deploy, say where, and wait; 130 after Ctrl-C or SIGTERM is good order here, so 0."""
    ended = interrupt_on_signals()
    folder = Path.cwd()
    note(f"starting the stand-in on {state} …")
    try:
        with StandIn(state, port, MACHINE_ENV) as stand_in:
            started = time.monotonic()
            deployed = deploy(stand_in.ready, stand_in.state, trainers)
            note(f"deployed in {time.monotonic() - started:.1f} s: {_told(deployed)}")
            asked = {"name": weather, "seed": seed}
            Api(deployed.settings).call("POST", "control", "/_control/weather", body=asked)
            record = running(stand_in, deployed)
            write_record(folder, record)
            try:
                _announce(record, deployed, as_json)
                stand_in.wait()
            except KeyboardInterrupt:
                _tell_what_goes_on(deployed)
                raise
            finally:
                forget_record(folder, record.pid)
    except KeyboardInterrupt:
        note("stopped; the state is kept in " + str(state))
        return 0 if ended else 130
    return 0


def _tell_what_goes_on(deployed: Deployed) -> None:
    """A machine is no part of the stand-in, as on Google: it outlives it for a while."""
    found = Api(deployed.settings).get("control", "/_control/inventory")["resources"]
    machines = [str(one["name"]) for one in found if one["kind"] == "compute.instance"]
    if machines:
        note(f"still running: {', '.join(machines)}")
        note("start `sealtrain up` again within 3 minutes to go on; else the machine powers itself off")


def running(stand_in: StandIn, deployed: Deployed) -> Running:
    """The record by which other verbs find it."""
    ready = stand_in.ready
    return Running(
        pid=os.getpid(),
        state=str(stand_in.state),
        endpoint=ready.endpoint,
        front=ready.front,
        console=f"{ready.endpoint}/_control/console",
        settings=environment(deployed.settings),
    )


def exports(record: Running) -> dict[str, str]:
    """Variables that point Google's clients and ours at the stand-in."""
    google = {
        "STORAGE_EMULATOR_HOST": record.endpoint,
        "BIGQUERY_EMULATOR_HOST": record.endpoint,
        "GOOGLE_CLOUD_PROJECT": record.settings["SEALTRAIN_PROJECT"],
    }
    ours = {key: value for key, value in record.settings.items() if key not in _NOT_EXPORTED}
    return google | ours


def _announce(record: Running, deployed: Deployed, as_json: bool) -> None:
    settings = deployed.settings
    inbox = names.inbox_bucket(settings)
    if as_json:
        emit(
            {
                "endpoint": record.endpoint,
                "project": settings.project,
                "inbox": inbox,
                "region": settings.region,
                "front": record.front,
                "console": record.console,
                "trainers": deployed.trainers,
                "exports": exports(record),
            }
        )
        return
    say(f"APIs       {record.endpoint}")
    say(f"functions  {record.front}")
    say(f"console    {record.console}")
    say(f"project    {settings.project} in {settings.region}")
    say(f"inbox      gs://{inbox}/incoming/   (an object here starts a run)")
    for name, reference in deployed.trainers.items():
        say(f"trainer    {name}: {reference}")
    say("\nto use it from another folder or from Google's clients:\n")
    for key, value in exports(record).items():
        say(f"export {key}={shlex.quote(value)}")
    say("\nCtrl-C stops it; the state is kept.")


def _told(deployed: Deployed) -> str:
    outcome = deployed.outcome
    return f"{outcome.created} resources made, {outcome.changed} changed, {outcome.same} as they were"
