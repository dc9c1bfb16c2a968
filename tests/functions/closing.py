"""The second half of a run in memory: a machine that attests, trains and signs, and all its ends.

Extends the world of tests/functions/memory.py by what verifying, closing and tearing down call. The
workload's part is played here with real keys and real signatures.
"""

# ruff: noqa: ARG002  # the same signatures as the cloud's own rooms

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from sealtrain.cloud.ledger import Ledger
from sealtrain.cloud.state import State
from sealtrain.rules import canonical, later, names, receipt, records, signing
from sealtrain.rules.errors import NotFoundError
from sealtrain.rules.ledger import zone_of
from sealtrain.rules.proof import RUN_ENDED
from sealtrain.rules.resources import BucketInfo, Execution, KeyVersion, Operation, Resource
from sealtrain.steps import publish_model, start_vm, submit_job, verify_evidence

from tests.functions import authority, memory

BUNDLE_KEY = ec.generate_private_key(ec.SECP256R1())
SETTINGS = msgspec.structs.replace(memory.SETTINGS, attestation_root=authority.root_pem())


class Storage(memory.MemoryStorage):
    """Objects and buckets that can go."""

    def delete_bucket(self, name: str) -> bool:
        assert not self.list(name), "the bucket is not empty"
        return self.buckets.pop(name, None) is not None

    def list_buckets(self, prefix: str) -> list[BucketInfo]:
        return [one for name, one in sorted(self.buckets.items()) if name.startswith(prefix)]


class Kms(memory.MemoryKms):
    """Key versions with states of their own, and one key that signs."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, str] = {}

    def list_keys(self, ring: str) -> list[Any]:
        return [
            msgspec.structs.replace(key, primary_state=self.states.get(key.primary, self.state))
            for name, key in self.keys.items()
            if name.startswith(f"{ring}/")
        ]

    def list_versions(self, key: str) -> list[KeyVersion]:
        version = f"{key}/cryptoKeyVersions/1"
        return [KeyVersion(version, self.states.get(version, self.state))]

    def disable_version(self, version: str) -> KeyVersion:
        self.states[version] = "DISABLED"
        return KeyVersion(version, "DISABLED")

    def destroy_version(self, version: str) -> KeyVersion:
        self.states[version] = "DESTROY_SCHEDULED"
        return KeyVersion(version, "DESTROY_SCHEDULED")

    def sign(self, key_version: str, digest: bytes) -> bytes:
        return BUNDLE_KEY.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))

    def public_key(self, key_version: str) -> str:
        return authority.public_pem(BUNDLE_KEY)


class Compute(memory.MemoryCompute):
    """Machines that can be listed and deleted; `slow` names need a second pass to be gone."""

    def __init__(self) -> None:
        super().__init__()
        self.slow: set[str] = set()
        self.refuses: dict[str, Exception] = {}

    def list(self, kind: Any, prefix: str = "", label: str = "") -> list[Resource]:
        key, _, value = label.partition("=")
        return [
            msgspec.structs.replace(one, zone=zone_of(name))
            for name, one in self.found.items()
            if one.kind == kind
            and one.name.startswith(prefix)
            and (not label or one.labels.get(key) == value)
        ]

    def list_requests(self, group: str) -> list[Resource]:
        return [one for name, one in self.found.items() if name.startswith(f"{group}/")]

    def delete(self, kind: Any, name: str) -> Operation | None:
        if name in self.refuses:
            raise self.refuses[name]
        if name in self.slow:
            self.slow.remove(name)
        else:
            self.found.pop(name, None)
        return Operation(name="op", zone=None, done=False)


class Executions(memory.MemoryExecutions):
    """Remembers which callbacks were posted; `deaf` ones are gone. `state` None: there is no execution."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[tuple[str, Any]] = []
        self.deaf = False
        self.state: str | None = "ACTIVE"

    def get(self, name: str) -> Execution:
        if self.state is None:
            raise NotFoundError("no such execution", field=name)
        return Execution(name=name, state=self.state)

    def post_callback(self, url: str, body: Any) -> None:
        if self.deaf:
            raise NotFoundError("no one waits", field=url)
        self.posted.append((url, body))


class PubSub:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Any]] = []

    def publish(self, topic: str, data: bytes, attributes: Any = None) -> str:
        self.published.append((topic.rpartition("/")[2], canonical.loads(data)))
        return str(len(self.published))


class BigQuery:
    """Rows by table and row id, as a table deduplicates them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.queries: list[str] = []

    def insert_rows(self, table: str, rows: Any, row_ids: Any) -> None:
        for row, row_id in zip(rows, row_ids, strict=True):
            self.rows[table.rpartition(".")[2], row_id] = dict(row)

    def query(self, sql: str, params: Any = None) -> list[dict[str, Any]]:
        self.queries.append(sql)
        table = "runs" if ".runs`" in sql else "attestations"
        column = "closed_at" if table == "runs" else "time"
        start, end = params["start"], params["end"]
        return [row for (name, _), row in self.rows.items() if name == table and start <= row[column] < end]


class World(memory.World):
    """A deployment whose machine attests, trains and signs when a test says so."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.storage: Storage = Storage()
        self.storage.created = self.time.isoformat()
        self.kms: Kms = Kms()
        self.compute: Compute = Compute()
        self.executions: Executions = Executions()
        self.pubsub = PubSub()
        self.bigquery = BigQuery()
        self.state = State(self.storage, self.settings)  # type: ignore[arg-type]
        self.ledger = Ledger(self.storage, self.settings, "test", self.clock)  # type: ignore[arg-type]
        self.evidence = names.evidence_bucket(self.settings)
        self.workload_key = ec.generate_private_key(ec.SECP256R1())

    def start(self) -> str:
        """A run whose machine has started."""
        run = self.prepare()
        self.call(start_vm, run=run)
        return run

    def instance(self, run: str) -> str:
        """The full name of the run's machine."""
        made = [e for e in self.ledger.entries(run) if (e.kind, e.phase) == ("instance", "made")]
        return made[-1].name

    def attest(self, run: str, *, order_digest: str = "", **changes: Any) -> None:
        """The machine shows its token; `changes` make its claims wrong."""
        pem = authority.public_pem(self.workload_key)
        digest = order_digest or self.state.order(run)[1]
        name = self.instance(run)
        good = {
            "submods__gce__instance_id": self.compute.found[name].id,
            "submods__gce__zone": zone_of(name),
            "submods__gce__instance_name": name.rpartition("/")[2],
        }
        text = authority.issue(authority.claims(records.nonce(digest, pem), **{**good, **changes}))
        self.show(run, records.TokenRecord(text, pem, digest))

    def show(self, run: str, record: records.TokenRecord) -> None:
        """Write a token record as the workload does: the first, then where only it and the functions look."""
        number = 0
        while self.storage.find(self.evidence, self.place(run, number)) is not None:
            number += 1
        self.storage.create(self.evidence, self.place(run, number), canonical.dumps(record))

    def place(self, run: str, number: int) -> str:
        """Where the machine puts its n-th later token; the first for 0."""
        public = later.public(self.state.order(run)[0].evidence.places)
        prefix = names.shown_prefix(run)
        return later.place(prefix, self.workload_key, public, number) if number else names.token(run)

    def train(self, run: str, /, **changes: Any) -> None:
        """The machine trains: sealed model, manifest, receipt, completion."""
        self.call(submit_job, run=run)
        order, digest = self.state.order(run)
        sealed = b"sealed model of " + run.encode()
        place = f"{order.output.prefix}model/model.safetensors.part-00000"
        self.storage.create(order.output.bucket, place, sealed)
        file = receipt.ModelFile(
            name="model.safetensors",
            size=5,
            sha256=canonical.digest(b"model"),
            objects=(receipt.SealedObject(place, canonical.digest(sealed), len(sealed)),),
        )
        manifest = {"files": [{"path": file.name, "size": file.size, "sha256": file.sha256}]}
        self.storage.create(order.output.bucket, names.model_manifest(run), canonical.dumps(manifest))
        values: dict[str, Any] = {
            "version": 1,
            "run": run,
            "order_digest": digest,
            "image_digest": order.image_digest,
            "dataset": {
                "id": order.dataset.id,
                "files": [
                    {"path": one.path, "size": one.size, "sha256": one.sha256} for one in order.dataset.files
                ],
            },
            "model": [msgspec.to_builtins(file)],
            "metrics": {"accuracy": 0.9649, "held_out": 114},
            "started": "2026-11-22T12:00:20+00:00",
            "finished": "2026-11-22T12:00:25+00:00",
            "trainer_exit": 0,
            **changes,
        }
        self.sign_receipt(run, values)

    def sign_receipt(self, run: str, values: dict[str, Any], key: Any = None) -> None:
        """Write a receipt, signed by the attested key unless another is given."""
        signer = authority.ec_signer(key or self.workload_key)
        envelope = signing.sign(receipt.PAYLOAD_TYPE, canonical.dumps(values), signer, "hint")
        self.storage.put(self.evidence, names.receipt(run), signing.serialize(envelope))

    def word(self, run: str, state: str, key: Any = None, **changes: Any) -> dict[str, Any]:
        """The workload's last message, signed by the attested key unless another is given."""
        said = {"run": run, "state": state, "reason": "", "left_digest": None, **changes}
        signature = authority.ec_signer(key or self.workload_key)(canonical.dumps(said))
        return {**said, "signature": base64.b64encode(signature).decode()}

    def succeed(self) -> str:
        """A run that went well up to its publication."""
        run = self.start()
        self.attest(run)
        self.call(verify_evidence, run=run)
        self.train(run)
        self.call(publish_model, run=run)
        return run

    def end(self, run: str, failure: dict[str, Any] | None = None) -> Any:
        """Tear the run down and close it."""
        from sealtrain.listeners import tear_down
        from sealtrain.steps import close_run

        self.call(tear_down, run=run, reason=RUN_ENDED)
        return self.call(close_run, run=run, failure=failure)

    def call_raw(self, module: Any, entry: Any) -> Any:
        """Call record_attestation with an entry's own bytes."""
        needs = ("storage", "kms", "pubsub", "bigquery", "ledger")
        rooms = {need: getattr(self, need) for need in needs}
        raw = msgspec.Raw(canonical.dumps(entry))
        return module.record_attestation(raw, **rooms, settings=self.settings, clock=self.clock)

    def log_entry(self, run: str, **changes: Any) -> dict[str, Any]:
        """A data access entry of the key service: the attested machine opened the run's key."""
        order, _ = self.state.order(run)
        subject = f"{order.image_digest}::{self.compute.found[self.instance(run)].id}"
        entry: dict[str, Any] = {
            "insertId": hashlib.sha256(run.encode()).hexdigest()[:12],
            "logName": "projects/demo-project/logs/cloudaudit.googleapis.com%2Fdata_access",
            "timestamp": self.clock().isoformat(),
            "protoPayload": {
                "serviceName": "cloudkms.googleapis.com",
                "methodName": "Decrypt",
                "resourceName": f"{names.run_key(self.settings, run)}/cryptoKeyVersions/1",
                "authenticationInfo": {
                    "principalSubject": f"principal://iam.googleapis.com/{names.pool(self.settings)}"
                    f"/subject/{subject}"
                },
            },
        }
        return {**entry, **changes}
