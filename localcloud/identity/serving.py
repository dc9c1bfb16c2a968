"""A small server in a thread of its own that stops at once when told to.

`serve_forever` looks twice a second whether it shall stop; an ending machine or function would wait for that.
Here a connection to the server itself wakes it.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading


class Serving:
    """Serves from the start until `stop`."""

    def __init__(self, server: socketserver.TCPServer, name: str) -> None:
        self._server, self._stopping = server, threading.Event()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests and close the socket; those under way go on in their threads."""
        self._stopping.set()
        address, family = self._server.server_address, self._server.address_family
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as wake:
            wake.connect(address)
        self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._server.handle_request()
