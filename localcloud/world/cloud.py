"""The world as one object: what every door and task gets."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.identity.iam import Iam
from localcloud.identity.tokens import Tokens
from localcloud.world.beat import Beat
from localcloud.world.blobs import Blobs
from localcloud.world.calls import Calls
from localcloud.world.clock import Clock, shared_by
from localcloud.world.faults import Faults
from localcloud.world.store import Store
from localcloud.world.weather import Weather

Hook = Callable[["Cloud"], None]
_ON_START: list[Hook] = []
_ON_STOP: list[Hook] = []


def on_start(hook: Hook) -> Hook:
    """Run `hook(cloud)` each time the stand-in has started (take up what a restart left)."""
    _ON_START.append(hook)
    return hook


def on_stop(hook: Hook) -> Hook:
    """Run `hook(cloud)` when the stand-in stops in good order."""
    _ON_STOP.append(hook)
    return hook


@dataclass
class Cloud:
    """One project on one machine. `endpoint` and `front` are set by the server before anything starts."""

    root: Path
    project: str = "demo-project"
    number: str = "100000000001"
    region: str = "us-central1"
    endpoint: str = ""  # where Google's APIs answer
    front: str = ""  # where functions are called (the platform's front door)
    faults: Faults = field(default_factory=Faults)
    calls: Calls = field(default_factory=Calls)
    machines_at_work: Callable[[], bool] = lambda: False  # told by whoever keeps the machines
    live: dict[str, Any] = field(default_factory=dict)  # what lasts only while this process does
    # Variables for workloads in virtual machines; {endpoint} and {socket} are filled in at boot.
    machine_env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)  # it holds keys
        self.clock = Clock(shared_by(self.time_folder))
        self.store = Store(self.root / "state.db")
        self.blobs = Blobs(self.root / "blobs")
        self.tokens = Tokens(self.store, self.clock, self.root / "identity.pem")
        self.weather = Weather(self.store, self.clock)
        self.iam = Iam(self.store, self.clock, self.project)
        self.beat = Beat(self)

    def start(self) -> None:
        """Take up what is on disk and begin to work."""
        self.iam.seed()
        for hook in _ON_START:
            hook(self)
        self.beat.start()

    def stop(self) -> None:
        """End everything that was started here."""
        self.beat.stop()
        for hook in _ON_STOP:
            hook(self)
        self.store.close()

    @property
    def time_folder(self) -> Path:
        """On a Python process's path, it gives the process the stand-in's time."""
        return self.root / "time"

    def new_id(self) -> str:
        """A numeric id as Compute and others give it (19 digits)."""
        return str(secrets.randbelow(9 * 10**18) + 10**18)
