"""What a machine is told when it is turned on: one JSON object on standard input."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Told:
    """Who the machine is. `name` is the instance's full resource name; `hardware_key` a PEM."""

    instance_id: str
    name: str
    project: str
    number: str
    region: str
    service_account: str
    attributes: dict[str, str]
    confidential_type: str  # SEV, TDX, … or ""
    confidential_space: str  # "production", "debug" or "" for another image
    machine_type: str
    gpu: str
    hardware_key: str
    endpoint_file: str
    environment: dict[str, str]  # for the workload; {endpoint} and {socket} are filled in

    @property
    def short_name(self) -> str:
        """The instance's name without its path."""
        return self.name.rpartition("/")[2]

    @property
    def time_folder(self) -> str:
        """First on the path of the workload's Python, it gives it the stand-in's time."""
        return str(Path(self.endpoint_file).with_name("time"))

    @property
    def zone(self) -> str:
        """The zone's short name."""
        return self.name.split("/")[3]


def read(stream: IO[bytes]) -> Told:
    """Parse what was told."""
    return Told(**json.loads(stream.read()))


def run_folder(instance_id: str) -> Path:
    """Where the launcher's socket lies: its path must be short, so it cannot be in the state's folder."""
    return Path(tempfile.gettempdir()) / f"launcher-{instance_id}"
