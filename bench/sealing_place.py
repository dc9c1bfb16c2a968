"""A bucket and a key on a stand-in of its own, for what measures sealing; and memory as it is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from sealtrain.cloud.connect import Cloud
from sealtrain.rules.settings import Settings
from sealtrain.sealing.buckets import KmsKey

from cli.stand_in import StandIn

BUCKET = "sealing-measured"
_PLACE = "projects/demo-project/locations/us-central1"
_KEY = f"{_PLACE}/keyRings/measured/cryptoKeys/sealing"


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """A stand-in with the bucket and the key; its address."""
    with StandIn(folder, 0, {}) as stand_in:
        endpoint = stand_in.ready.endpoint
        _post(f"{endpoint}/v1/{_PLACE}/keyRings?keyRingId=measured", {})
        ring, _, key = _KEY.partition("/cryptoKeys/")
        _post(f"{endpoint}/v1/{ring}/cryptoKeys?cryptoKeyId={key}", {"purpose": "ENCRYPT_DECRYPT"})
        binding = {"role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "members": ["user:you@localhost"]}
        _post(f"{endpoint}/v1/{_KEY}:setIamPolicy", {"policy": {"bindings": [binding]}})
        _post(f"{endpoint}/storage/v1/b?project=demo-project", {"name": BUCKET, "location": "US-CENTRAL1"})
        yield endpoint


def rooms(endpoint: str) -> tuple[Any, KmsKey]:
    """The functions' own storage and key at that address, as the person at the keyboard."""
    settings = Settings(
        project="demo-project", project_number="100000000001", region="us-central1", endpoint=endpoint
    )
    nobody: Any = AnonymousCredentials  # google-auth carries no types
    cloud = Cloud(settings, by="measured", clock=lambda: datetime.now(UTC), credentials=nobody())
    return cloud.get("storage"), KmsKey(_KEY, cloud.get("kms"))


def memory_bytes(pid: int | str, field: str) -> int:
    """VmRSS (now) or VmHWM (highest) of a process; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def _post(url: str, body: dict[str, Any]) -> None:
    requests.post(url, json=body, timeout=30).raise_for_status()
