"""Google's Compute library in part: the same classes, and the whole of it for whoever asks later."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sealtrain.cloud import compute_library

IN_A_FRESH_PROCESS = """
import sys
from sealtrain.cloud import compute_library
clients = {name: compute_library.client(name) for name in compute_library.SERVICES}
operation = compute_library.message("Operation")
loaded = [name for name in sys.modules if name.startswith("google.cloud.compute_v1.services.")]
assert not any(".disks" in name or ".firewalls" in name for name in loaded), loaded
from google.cloud import compute_v1
assert all(getattr(compute_v1, name) is client for name, client in clients.items())
assert compute_v1.Operation is operation
compute_v1.DisksClient
"""


def test_only_what_is_called_is_loaded_and_the_whole_package_still_can_be() -> None:
    """Services that are not called stay unloaded; a later import of the package gives the same classes."""
    subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], check=True, timeout=120)


@pytest.mark.parametrize("name", sorted(compute_library.SERVICES))
def test_the_clients_are_googles(name: str) -> None:
    """By their own names, whether or not the package was imported before."""
    assert compute_library.client(name).__name__ == name
