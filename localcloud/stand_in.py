"""Puts the stand-in together: every door module is imported here, and only here."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import localcloud.doors
from localcloud.server import Server
from localcloud.world.cloud import Cloud

_NOT_DOORS = {"discovery", "errors", "formats", "payload", "required", "schema"}


def open_doors() -> None:
    """Import every module that registers doors, and what tells a leaping clock whether a machine works."""
    for module in pkgutil.iter_modules(localcloud.doors.__path__):
        if module.name not in _NOT_DOORS:
            importlib.import_module(f"localcloud.doors.{module.name}")
    importlib.import_module("localcloud.machine.at_work")


def build(state: Path, port: int = 0) -> tuple[Server, Cloud]:
    """A server that is not started yet, and its world, on the folder `state`."""
    open_doors()
    front = importlib.import_module("localcloud.doors.front").app
    cloud = Cloud(state)
    return Server(cloud, front(cloud), port), cloud
