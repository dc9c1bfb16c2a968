"""The machine's line to its cloud while nobody answers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localcloud.machine import link
from localcloud.machine.link import Link, LinkError

KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
TOKEN = b'{"token": "t"}'


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """A machine whose stand-in is away; its port is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "endpoint").write_text(f"http://127.0.0.1:{port}")
    return SimpleNamespace(
        instance_id="1", hardware_key=KEY.decode(), endpoint_file=str(tmp_path / "endpoint")
    )


def test_a_request_waits_for_the_stand_in_to_come_back(told: Any) -> None:
    """At another address, as after a restart: it is found there."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def come_back() -> None:
            Path(told.endpoint_file).write_text(f"http://127.0.0.1:{server.getsockname()[1]}")
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(TOKEN), TOKEN))

        timer = threading.Timer(0.2, come_back)
        timer.start()
        assert Link(told).id_token("anyone") == "t"
        timer.join(10)


def test_its_patience_ends(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that stays away is a 503."""
    monkeypatch.setattr(link, "PATIENCE_S", -1.0)
    with pytest.raises(LinkError) as error:
        Link(told).id_token("anyone")
    assert error.value.status == 503
