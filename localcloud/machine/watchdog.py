"""A machine whose cloud has gone and does not come back powers itself off: nothing is left running for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

ABANDONED_AFTER_S = 180.0
_LOOK_EVERY_S = 2.0


def watch(endpoint: Callable[[], str], power_off: Callable[[], None]) -> None:
    """Call `power_off` once nobody has answered at `endpoint()` for ABANDONED_AFTER_S, in a thread."""
    threading.Thread(target=_watch, args=(endpoint, power_off), name="watchdog", daemon=True).start()


def _watch(endpoint: Callable[[], str], power_off: Callable[[], None]) -> None:
    seen = time.monotonic()
    while time.monotonic() - seen < ABANDONED_AFTER_S:
        with contextlib.suppress(OSError):
            address = urlsplit(endpoint())
            socket.create_connection((address.hostname or "", address.port or 0), 2).close()
            seen = time.monotonic()
        time.sleep(_LOOK_EVERY_S)
    power_off()
