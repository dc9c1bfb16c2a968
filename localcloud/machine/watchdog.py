"""A machine whose cloud has gone and does not come back powers itself off: nothing runs for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

ABANDONED_AFTER_S = 180.0
_LOOK_EVERY_S = 2.0


def watch(
    endpoint: Callable[[], str], power_off: Callable[[], None], patience_s: float = ABANDONED_AFTER_S
) -> None:
    """Call `power_off` once nobody has answered at `endpoint()` for `patience_s`, in a thread."""
    arguments = (endpoint, power_off, patience_s)
    threading.Thread(target=_watch, args=arguments, name="watchdog", daemon=True).start()


def _watch(endpoint: Callable[[], str], power_off: Callable[[], None], patience_s: float) -> None:
    seen = time.monotonic()
    while time.monotonic() - seen < patience_s:
        with contextlib.suppress(OSError):
            address = urlsplit(endpoint())
            socket.create_connection((address.hostname or "", address.port or 0), 2).close()
            seen = time.monotonic()
        time.sleep(min(_LOOK_EVERY_S, patience_s / 4))
    power_off()
