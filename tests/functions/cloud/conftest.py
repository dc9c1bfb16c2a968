"""The cloud objects on a really started stand-in, with storage key and signing key in place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from sealtrain.cloud.connect import Cloud
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from localcloud.machine.processes import end_all
from localcloud.stand_in import build
from tests.functions.memory import SETTINGS

AGENTS = [
    "serviceAccount:service-100000000001@gs-project-accounts.iam.gserviceaccount.com",
    "serviceAccount:service-100000000001@compute-system.iam.gserviceaccount.com",
]
ME = ["user:you@localhost"]


def _post(settings: Settings, path: str, body: Any, method: str = "POST") -> None:
    requests.request(method, f"{settings.endpoint}/v1/{path}", json=body, timeout=10).raise_for_status()


def _bind(settings: Settings, resource: str, **roles: list[str]) -> None:
    bindings = [{"role": f"roles/cloudkms.{role}", "members": members} for role, members in roles.items()]
    _post(settings, f"{resource}:setIamPolicy", {"policy": {"bindings": bindings}})


def _prepare(settings: Settings) -> None:
    """What a deployment makes before any run, as far as these tests need it."""
    place = f"projects/{settings.project}/locations/{settings.region}"
    for word in ("release", "storage", "evidence"):
        _post(settings, f"{place}/keyRings?keyRingId=sealtrain-{word}", {})
    for key, purpose, algorithm in (
        (names.storage_key(settings), "ENCRYPT_DECRYPT", "GOOGLE_SYMMETRIC_ENCRYPTION"),
        (names.sealing_key(settings), "ENCRYPT_DECRYPT", "GOOGLE_SYMMETRIC_ENCRYPTION"),
        (names.bundle_key(settings), "ASYMMETRIC_SIGN", "EC_SIGN_P256_SHA256"),
    ):
        ring, _, key_id = key.partition("/cryptoKeys/")
        template = {"protectionLevel": "HSM", "algorithm": algorithm}
        _post(
            settings,
            f"{ring}/cryptoKeys?cryptoKeyId={key_id}",
            {"purpose": purpose, "versionTemplate": template},
        )
    _bind(settings, names.storage_key(settings), cryptoKeyEncrypterDecrypter=AGENTS)
    _bind(settings, names.key_ring(settings, "release"), cryptoKeyEncrypter=ME)
    _bind(settings, names.sealing_key(settings), cryptoKeyEncrypterDecrypter=ME)
    _bind(settings, names.key_ring(settings, "evidence"), signer=ME)
    _post(settings, names.topic(settings, "job-events"), {}, "PUT")
    account = {"accountId": "sealtrain-workload", "serviceAccount": {}}
    _post(settings, f"projects/{settings.project}/serviceAccounts", account)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The product's cloud objects, as the person at the keyboard."""
    server, stand_in = build(tmp_path_factory.mktemp("stand-in"))
    server.start()
    settings = msgspec.structs.replace(SETTINGS, endpoint=stand_in.endpoint)
    _prepare(settings)
    yield Cloud(settings, by="test", clock=lambda: datetime.now(UTC), credentials=AnonymousCredentials())
    end_all(stand_in, "machine/", grace_s=0)
    server.stop()
