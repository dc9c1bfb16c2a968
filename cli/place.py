"""Where the deployment is: the environment's settings, or the stand-in that runs in this folder.

- SEALTRAIN_PROJECT or SEALTRAIN_ENDPOINT in the environment wins; then every setting comes from there.
- Otherwise `.sealtrain/running.json`, written by `sealtrain up`, names the stand-in of this folder.
- A record of a stand-in that no longer runs counts as none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from sealtrain.rules.settings import Settings

from cli.errors import CommandError, PlaceError

RECORD = Path(".sealtrain") / "running.json"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A stand-in that `sealtrain up` started; `settings` are SEALTRAIN_* variables."""

    pid: int
    state: str
    endpoint: str
    front: str
    console: str
    settings: dict[str, str]


def find(environ: Mapping[str, str], folder: Path) -> Settings:
    """The deployment that a verb speaks to. Raises PlaceError if none is known."""
    if environ.get("SEALTRAIN_PROJECT") or environ.get("SEALTRAIN_ENDPOINT"):
        return Settings.from_environ(environ)
    running = read_record(folder)
    if running is None:
        raise PlaceError(
            "no deployment is known here",
            field="SEALTRAIN_PROJECT",
            got="nothing, and no stand-in runs in this folder",
            remedy="start one with `sealtrain up` in another terminal of this folder, or set "
            "SEALTRAIN_PROJECT, SEALTRAIN_PROJECT_NUMBER and SEALTRAIN_REGION of your deployment",
        )
    return Settings.from_environ(running.settings)


def read_record(folder: Path) -> Running | None:
    """The stand-in recorded in this folder, if its process lives."""
    file = folder / RECORD
    try:
        running = msgspec.json.decode(file.read_bytes(), type=Running)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(
            f"{file} cannot be read",
            got=error,
            remedy="delete it, and start the stand-in again with `sealtrain up`",
        ) from error
    return running if _lives(running.pid) else None


def write_record(folder: Path, running: Running) -> None:
    """Let the other verbs in this folder find the stand-in."""
    file = folder / RECORD
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(running)))
    draft.replace(file)


def forget_record(folder: Path, pid: int) -> None:
    """Remove the record of the stand-in that was started by process `pid`, and no other's."""
    running = read_record(folder)
    if running is not None and running.pid == pid:
        (folder / RECORD).unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
