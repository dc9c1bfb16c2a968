"""A virtual machine: a process that boots what its instance's image is, and ends when it is powered off.

Started by the stand-in (`boot.py`), outlives it, and finds it again. SIGTERM is the power button.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from localcloud.identity.metadata import Identity, MetadataServer
from localcloud.machine.console import Console
from localcloud.machine.latency import GRACE_S
from localcloud.machine.launcher import FAILURE, HOLD, Launcher
from localcloud.machine.link import Link
from localcloud.machine.told import Told, read
from localcloud.machine.watchdog import watch
from localcloud.machine.workload import adopt_orphans


def identity_of(told: Told, link: Link) -> Identity:
    """What the guest may learn from its metadata server."""
    return Identity(
        email=told.service_account,
        project=told.project,
        number=told.number,
        region=told.region,
        access_token=link.access_token,
        id_token=link.id_token,
        attributes=told.attributes,
        instance={
            "id": told.instance_id,
            "name": told.short_name,
            "hostname": f"{told.short_name}.{told.zone}.c.{told.project}.internal",
            "zone": f"projects/{told.number}/zones/{told.zone}",
            "machine-type": f"projects/{told.number}/machineTypes/{told.machine_type}",
        },
    )


def main() -> int:
    """Boot, run until powered off, say how it ended."""
    told = read(sys.stdin.buffer)
    link, power_off = Link(told), threading.Event()
    button: list[Callable[[], None]] = [power_off.set]

    def press(*_: object) -> None:
        for action in button:
            action()

    signal.signal(signal.SIGTERM, press)
    watch(link.endpoint, press)
    if not told.confidential_space:  # an ordinary guest: it has nothing to run, and stays up
        power_off.wait()
        return 0
    adopt_orphans()
    console = Console(told, link)
    metadata = MetadataServer(identity_of(told, link))
    # The workload gets most of the grace, so that its end can still be told.
    launcher = Launcher(told, link, console, Path.cwd(), metadata.address, GRACE_S * 0.7)
    button.append(launcher.stopping.set)
    code = FAILURE if power_off.is_set() else launcher.launch()
    if code == HOLD:
        power_off.wait()
    console.close()
    metadata.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
