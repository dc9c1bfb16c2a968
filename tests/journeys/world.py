"""A deployed product on a stand-in of its own, and what a journey does with it: upload, follow, look."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from sealtrain.rules import names
from sealtrain.rules.uploads import Upload, run_of

from cli.api import Api
from cli.deploy.stand_in import Deployed
from cli.trust import check
from cli.verbs.fetch import public_keys

BOUND_S = 240.0  # a teardown may wait 90 s of real time for a create whose outcome it does not know
_LOOK_EVERY_S = 0.1


class World:
    """One project with everything deployed."""

    def __init__(self, endpoint: str, front: str, deployed: Deployed) -> None:
        self.endpoint, self.front = endpoint, front
        self.settings, self.trainers = deployed.settings, deployed.trainers
        self.storage = storage.Client(
            project=self.settings.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": endpoint},
        )
        self.inbox = self.storage.bucket(names.inbox_bucket(self.settings))
        self.state = self.storage.bucket(names.state_bucket(self.settings))
        self.evidence = self.storage.bucket(names.evidence_bucket(self.settings))
        self.models = self.storage.bucket(names.models_bucket(self.settings))
        self.checkpoints = self.storage.bucket(names.checkpoints_bucket(self.settings))

    # What a person does.

    def upload(self, name: str, data: bytes, job: str | None = None) -> Upload:
        """Put a dataset under `incoming/`: alone, or in a folder with job.yaml last."""
        if job is None:
            return self.put(f"incoming/{name}", data)
        self.inbox.blob(f"incoming/{name}/data.csv").upload_from_string(data)
        return self.put(f"incoming/{name}/job.yaml", job.encode())

    def put(self, object_name: str, data: bytes) -> Upload:
        """Put one object; the upload whose run it starts."""
        blob = self.inbox.blob(object_name)
        blob.upload_from_string(data)
        return Upload(bucket=self.inbox.name, object=object_name, generation=str(blob.generation), attempt=1)

    def execute(self, upload: Upload) -> str:
        """Start the workflow directly, as `gcloud workflows run` does; the execution's name."""
        fields = ("bucket", "object", "generation", "attempt")
        argument = json.dumps({field: getattr(upload, field) for field in fields})
        path = f"projects/{self.settings.project}/locations/{self.settings.region}/workflows/train"
        answer = self.post(f"/v1/{path}/executions", {"argument": argument})
        return str(answer["name"])

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        """Publish a JSON message to one of the deployment's topics."""
        data = base64.b64encode(json.dumps(message).encode()).decode()
        self.post(f"/v1/{names.topic(self.settings, topic)}:publish", {"messages": [{"data": data}]})

    # What a person sees.

    def closed(self, upload: Upload, bound_s: float = BOUND_S) -> dict[str, Any]:
        """The run's closing record, once there is one."""
        run = run_of(upload)
        return self.until(lambda: self.record(names.closed(run)), f"run {run} is closed", bound_s)

    def refusal(self, upload: Upload) -> dict[str, Any]:
        """What the owner is told about a refused upload, once it is there."""
        name = names.refusal(run_of(upload))
        return self.until(lambda: self.json(self.inbox, name), f"{name} is there", BOUND_S)

    def bundle_problems(self, run: str) -> list[str]:
        """The checks of the run's bundle that do not hold, under the deployment's own public keys."""
        bundle = self.evidence.blob(names.bundle(run)).download_as_bytes()
        checks, _ = check(bundle, public_keys(Api(self.settings), self.settings), datetime.now(UTC))
        return [f"{one.name}: {one.detail}" for one in checks if not one.ok]

    def record(self, name: str) -> dict[str, Any] | None:
        """One JSON object of the evidence bucket, or None."""
        return self.json(self.evidence, name)

    @staticmethod
    def json(bucket: storage.Bucket, name: str) -> dict[str, Any] | None:
        """One JSON object, or None."""
        blob = bucket.get_blob(name)
        return None if blob is None else json.loads(blob.download_as_bytes())

    def ledger(self, run: str, kind: str, phase: str) -> list[dict[str, Any]]:
        """Entries of the ledger of one kind and phase."""
        blobs = self.evidence.list_blobs(prefix=f"runs/{run}/ledger/")
        return [json.loads(b.download_as_bytes()) for b in blobs if b.name.endswith(f".{kind}.{phase}.json")]

    def until(self, look: Callable[[], Any], what: str, bound_s: float = BOUND_S) -> Any:
        """Look until there is something to see; a bounded wait that names what it waited for."""
        deadline = time.monotonic() + bound_s
        while time.monotonic() < deadline:
            seen = look()
            if seen:
                return seen
            time.sleep(_LOOK_EVERY_S)
        raise AssertionError(f"not within {bound_s:.0f} s: {what}")

    # What the stand-in tells and takes.

    def bills(self, run: str) -> list[str]:
        """Live resources of the run that cost money."""
        found = self.get("/_control/inventory")["resources"]
        return [
            f"{r['kind']} {r['name']}"
            for r in found
            if r["bills"] and (run in r["name"] or r.get("labels", {}).get("sealtrain-run") == run)
        ]

    def fault(self, api: str, answer: int | str, times: int, **match: str) -> None:
        """The next calls of `api` whose parameters contain `match` get this answer."""
        self.post("/_control/faults", {"api": api, "answer": answer, "times": times, "match": match})

    def no_faults(self) -> None:
        """Forget what was planted."""
        requests.delete(f"{self.endpoint}/_control/faults", timeout=30).raise_for_status()

    def key_closed(self, run: str) -> str:
        """The reason on record, of a run whose key must have stayed closed and which must be torn down."""
        closed = self.until(lambda: self.record(names.closed(run)), f"run {run} is closed")
        assert closed["outcome"] == "refused", closed
        assert closed["reason"]
        assert self.json(self.state, names.release(run)) is None
        assert self.record(names.receipt(run)) is None
        assert self.record(names.proof(run)), "a refused run is torn down too"
        assert self.bills(run) == []
        assert not self.storage.bucket(names.sealed_bucket(self.settings, run)).exists()
        return str((self.record(names.verdict(run)) or {}).get("reasons", closed["reason"]))

    def told(self, event: str) -> int:
        """How often a function has said this in its log."""
        wanted = {
            "resourceNames": [f"projects/{self.settings.project}"],
            "filter": f'jsonPayload.event="{event}"',
            "pageSize": 1000,
        }
        return len(self.post("/v2/entries:list", wanted)["entries"])

    def get(self, path: str) -> dict[str, Any]:
        """GET on the stand-in."""
        answer = requests.get(self.endpoint + path, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST on the stand-in."""
        answer = requests.post(self.endpoint + path, json=body, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())


def start(state: Path, trainers: list[Path], port: int = 0, attest_every_s: int = 3600) -> tuple[Any, World]:
    """A fresh stand-in with the product deployed; whoever calls ends the first of the two."""
    from cli.deploy.stand_in import MACHINE_ENV, deploy
    from cli.stand_in import StandIn

    stand_in = StandIn(state, port, MACHINE_ENV)
    stand_in.__enter__()
    try:
        deployed = deploy(stand_in.ready, stand_in.state, trainers, attest_every_s)
    except BaseException:
        stand_in.__exit__(None, None, None)
        raise
    return stand_in, World(stand_in.ready.endpoint, stand_in.ready.front, deployed)
