"""SIGTERM and SIGHUP end us as Ctrl-C does: everything that was started is stopped on the way out."""

from __future__ import annotations

import signal


def interrupt_on_signals() -> list[int]:
    """Raise KeyboardInterrupt for each of the three; the list holds those that came."""
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    return came
