"""A machine does not outlive its cloud for ever."""

from __future__ import annotations

import socket
import threading

from localcloud.machine.watchdog import watch


def test_a_machine_powers_off_when_nobody_answers() -> None:
    """After its patience, with nobody at the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    off = threading.Event()
    watch(lambda: f"http://127.0.0.1:{port}", off.set, 0.2)
    assert off.wait(5)


def test_a_machine_stays_on_while_somebody_answers() -> None:
    """As long as the address is served, longer than its patience."""
    off, seen = threading.Event(), threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        watch(lambda: (seen.release(), address)[1], off.set, 0.2)
        assert all(seen.acquire(timeout=5) for _ in range(5))
        assert not off.is_set()
