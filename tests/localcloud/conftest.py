"""A really started stand-in on a temporary folder, and official clients that speak to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud import bigquery, kms_v1, storage
from google.oauth2.credentials import Credentials as TokenCredentials
from google.pubsub_v1 import PublisherClient, SubscriberClient
from googleapiclient import discovery

from localcloud.machine.processes import end_all
from localcloud.server import Server
from localcloud.stand_in import build
from localcloud.world.cloud import Cloud

_SERVICE_PATH = {"storage": "storage/v1/", "bigquery": "bigquery/v2/"}


@dataclass
class World:
    """A started stand-in. Clients without an account act as the person at the keyboard."""

    server: Server
    cloud: Cloud

    def credentials(self, account: str | None) -> Credentials:
        """Of a service account by its short name, or none at all."""
        if account is None:
            return AnonymousCredentials()
        return TokenCredentials(self.cloud.tokens.access_token(self.member(account)))

    def member(self, account: str) -> str:
        """The IAM member of a service account by its short name."""
        return f"serviceAccount:{account}@{self.cloud.project}.iam.gserviceaccount.com"

    def grant(self, resource: str, role: str, member: str, condition: str | None = None) -> None:
        """Add a binding to a resource's policy."""
        policy = self.cloud.iam.policy(resource)
        binding: dict[str, Any] = {"role": role, "members": [member]}
        if condition is not None:
            binding["condition"] = {"title": "test", "expression": condition}
        bindings = [*policy.get("bindings", []), binding]
        self.cloud.iam.set_policy(resource, {"version": 3, "bindings": bindings})

    def storage(self, account: str | None = None) -> storage.Client:
        """Cloud Storage's client."""
        return _Storage(
            self.cloud,
            self.cloud.project,
            credentials=self.credentials(account),
            client_options={"api_endpoint": self.cloud.endpoint},
        )

    def bigquery(self, account: str | None = None) -> bigquery.Client:
        """BigQuery's client."""
        return bigquery.Client(
            self.cloud.project,
            credentials=self.credentials(account),
            client_options={"api_endpoint": self.cloud.endpoint},
        )

    def kms(self, account: str | None = None) -> kms_v1.KeyManagementServiceClient:
        """Cloud KMS's client over REST."""
        return self._rest(kms_v1.KeyManagementServiceClient, account)

    def publisher(self, account: str | None = None) -> PublisherClient:
        """Pub/Sub's publisher over REST."""
        return self._rest(PublisherClient, account)

    def subscriber(self, account: str | None = None) -> SubscriberClient:
        """Pub/Sub's subscriber over REST."""
        return self._rest(SubscriberClient, account)

    def api(self, name: str, version: str, account: str | None = None) -> Any:
        """A client made from Google's discovery document (google-api-python-client)."""
        return discovery.build(
            name,
            version,
            credentials=self.credentials(account),
            client_options={"api_endpoint": f"{self.cloud.endpoint}/{_SERVICE_PATH.get(name, '')}"},
            static_discovery=True,
        )

    def _rest(self, client: Any, account: str | None) -> Any:
        return client(
            credentials=self.credentials(account),
            transport="rest",
            client_options={"api_endpoint": self.cloud.endpoint},
        )


class _Storage(storage.Client):  # type: ignore[misc]
    """Cloud Storage's client; lets two seconds pass in the stand-in before it makes a bucket."""

    def __init__(self, cloud: Cloud, project: str, **given: Any) -> None:
        super().__init__(project, **given)
        self._cloud = cloud

    def create_bucket(self, *args: Any, **given: Any) -> Any:
        self._cloud.clock.advance(2)
        return super().create_bucket(*args, **given)


def start(folder: Path) -> World:
    """Start a stand-in on `folder` (fresh or used before)."""
    server, cloud = build(folder)
    server.start()
    return World(server, cloud)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One stand-in for a module of tests, which keep apart by names."""
    started = start(tmp_path_factory.mktemp("cloud"))
    yield started
    end_all(started.cloud, "machine/", grace_s=0)  # virtual machines outlive a stand-in
    started.server.stop()


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Call it to start the stand-in; call it again to stop it and start it on the same folder."""
    running: list[World] = []

    def restart() -> World:
        if running:
            running.pop().server.stop()
        running.append(start(tmp_path))
        return running[-1]

    yield restart
    for one in running:
        end_all(one.cloud, "machine/", grace_s=0)
        one.server.stop()


def eventually(what: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Ask until the answer is true, at most `seconds`; returns the answer."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, f"nothing after {seconds} s"
        time.sleep(0.01)
    return answer
