"""Cloud objects in memory, for tests of single steps: same methods, same errors, no network.

Journeys use the stand-in cloud; here a test sets the world by plain assignment and looks at it after.
`dies_at` makes the n-th write raise, as if the process had died there.
"""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
from sealtrain.cloud.ledger import Ledger
from sealtrain.cloud.state import State
from sealtrain.rules import names
from sealtrain.rules.errors import AlreadyExistsError, NotFoundError
from sealtrain.rules.resources import (
    BucketInfo,
    BucketSpec,
    Encrypted,
    KeyInfo,
    KeySpec,
    KeyVersion,
    ObjectInfo,
    Operation,
    Resource,
)
from sealtrain.rules.settings import Settings

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"us-central1-docker.pkg.dev/demo-project/trainers/tabular@{DIGEST}"
SETTINGS = Settings(
    project="demo-project",
    project_number="100000000001",
    region="us-central1",
    trainer=IMAGE,
    approved_images=(DIGEST,),
)
CSV = b"a,b\n1,2\n3,4\n"


class DiedError(Exception):
    """The process died here."""


class LateReader:
    """Opens at the first read, as the library's reader does."""

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load
        self._stream: io.BytesIO | None = None

    def read(self, size: int = -1, /) -> bytes:
        self._stream = self._stream or io.BytesIO(self._load())
        return self._stream.read(size)


class MemoryStorage:
    """Buckets of objects; `writes` counts what was written, `dies_at` ends the process at one.

    `created` is the time of what is written from now on.
    """

    def __init__(self) -> None:
        self.created = "2026-11-22T00:00:00+00:00"
        self.objects: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.times: dict[tuple[str, str], str] = {}
        self.buckets: dict[str, BucketInfo] = {}
        self.generation = 1000
        self.writes = 0
        self.dies_at = 0

    def put(self, bucket: str, name: str, data: bytes, _content_type: str = "") -> str:
        self._count(name)
        self.generation += 1
        self.objects[bucket, name] = (str(self.generation), data)
        self.times[bucket, name] = self.created
        return str(self.generation)

    def create(self, bucket: str, name: str, data: bytes, _content_type: str = "") -> str:
        if (bucket, name) in self.objects:
            raise AlreadyExistsError("already there", field=name)
        return self.put(bucket, name, data)

    def get(self, bucket: str, name: str, generation: str | None = None, first: int | None = None) -> bytes:
        found, data = self.objects.get((bucket, name), ("", b""))
        if not found or generation not in {None, found}:
            raise NotFoundError("not there", field=name)
        return data[:first]

    def find(self, bucket: str, name: str) -> bytes | None:
        return self.objects[bucket, name][1] if (bucket, name) in self.objects else None

    def open_reader(
        self, bucket: str, name: str, generation: str | None = None, _crc32c: str = "", start: int = 0
    ) -> Any:
        return LateReader(lambda: self.get(bucket, name, generation)[start:])

    @contextmanager
    def open_writer(self, bucket: str, name: str) -> Iterator[io.BytesIO]:
        buffer = io.BytesIO()
        yield buffer
        self.create(bucket, name, buffer.getvalue())

    def copy(self, bucket: str, name: str, generation: str, to_bucket: str, to_name: str) -> Any:
        if (to_bucket, to_name) not in self.objects:
            self.put(to_bucket, to_name, self.get(bucket, name, generation))
        return self.stat(to_bucket, to_name)

    def delete(self, bucket: str, name: str, generation: str | None = None) -> bool:
        self._count(name)
        if self.stat(bucket, name, generation) is None:
            return False
        del self.objects[bucket, name]
        return True

    def stat(self, bucket: str, name: str, generation: str | None = None) -> ObjectInfo | None:
        found, data = self.objects.get((bucket, name), ("", b""))
        if not found or generation not in {None, found}:
            return None
        crc = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        created = self.times.get((bucket, name), self.created)
        return ObjectInfo(bucket, name, found, len(data), crc, created)

    def _count(self, name: str) -> None:
        self.writes += 1
        if self.writes == self.dies_at:
            raise DiedError(name)

    def list(self, bucket: str, prefix: str = "") -> list[Any]:
        keys = sorted(k for k in self.objects if k[0] == bucket and k[1].startswith(prefix))
        return [self.stat(*key) for key in keys]

    def create_bucket(self, spec: BucketSpec) -> BucketInfo:
        if spec.name in self.buckets:
            raise AlreadyExistsError("already there", field=spec.name)
        made = BucketInfo(
            name=spec.name,
            location=spec.location,
            kms_key=spec.kms_key,
            labels=spec.labels,
            uniform_access=True,
            public_access_prevention="enforced",
            soft_delete_s=0,
            versioning=False,
            created="2026-11-22T00:00:00+00:00",
        )
        self.buckets[spec.name] = made
        return made

    def get_bucket(self, name: str) -> BucketInfo | None:
        return self.buckets.get(name)


class MemoryKms:
    """Keys; `encrypt` shows its associated data, so that a test can see what was bound."""

    def __init__(self) -> None:
        self.keys: dict[str, KeyInfo] = {}
        self.state = "ENABLED"

    def create_key(self, spec: KeySpec) -> KeyInfo:
        name = f"{spec.ring}/cryptoKeys/{spec.key_id}"
        if name in self.keys:
            raise AlreadyExistsError("already there", field=name)
        self.keys[name] = KeyInfo(
            name=name,
            purpose="ENCRYPT_DECRYPT",
            protection="HSM",
            labels=spec.labels,
            rotation_s=None,
            destroy_scheduled_s=spec.destroy_scheduled_s,
            primary=f"{name}/cryptoKeyVersions/1",
            primary_state=self.state,
            created="2026-11-22T00:00:00+00:00",
        )
        return self.keys[name]

    def get_key(self, name: str) -> KeyInfo | None:
        return self.keys.get(name)

    def list_versions(self, key: str) -> list[KeyVersion]:
        return [KeyVersion(f"{key}/cryptoKeyVersions/1", self.state)]

    def encrypt(self, key: str, plaintext: bytes, aad: bytes) -> Encrypted:
        return Encrypted(b"wrapped:" + aad + b":" + plaintext, f"{key}/cryptoKeyVersions/1")

    def decrypt(self, _key: str, ciphertext: bytes, aad: bytes) -> bytes:
        return ciphertext.removeprefix(b"wrapped:" + aad + b":")


class MemoryCompute:
    """Machines by full name; `failures` maps a zone to the error that inserting there raises."""

    def __init__(self) -> None:
        self.found: dict[str, Resource] = {}
        self.failures: dict[str, Exception] = {}
        self.inserted: list[tuple[str, str]] = []
        self.status = {"reservation": "READY", "request": "SUCCEEDED", "instance": "RUNNING"}

    def insert(self, kind: Any, name: str, body: dict[str, Any], request_id: str) -> Operation:
        uuid.UUID(request_id)
        self.inserted.append((kind, name))
        for zone, error in self.failures.items():
            if f"/zones/{zone}/" in name:
                raise error
        if name in self.found:
            raise AlreadyExistsError("already there", field=name)
        self.found[name] = Resource(
            kind=kind,
            id=str(1000 + len(self.found)),
            name=name.rpartition("/")[2],
            zone="",
            status=self.status.get(kind, ""),
            created="2026-11-22T00:00:00+00:00",
            labels=body.get("labels", {}),
            body=json.loads(json.dumps(body)),
        )
        return Operation(name="op", zone="z", done=True)

    def get(self, _kind: Any, name: str) -> Resource | None:
        return self.found.get(name)

    def get_operation(self, operation: Operation) -> Operation:
        return operation


class MemoryExecutions:
    """Remembers what was started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, Any]] = []

    def start(self, workflow: str, argument: Any) -> str:
        self.started.append((workflow, argument))
        return f"{workflow}/executions/{len(self.started)}"


class World:
    """One deployment in memory, with one upload ready to be admitted."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.time = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.storage = MemoryStorage()
        self.kms = MemoryKms()
        self.compute = MemoryCompute()
        self.executions = MemoryExecutions()
        self.state = State(self.storage, settings)  # type: ignore[arg-type]
        self.ledger = Ledger(self.storage, settings, "test", self.clock)  # type: ignore[arg-type]
        self.inbox = names.inbox_bucket(settings)

    def clock(self) -> datetime:
        """A clock that moves a second at each look."""
        self.time += timedelta(seconds=1)
        return self.time

    def upload(self, name: str, data: bytes = CSV) -> str:
        """Put an object into the inbox; give its generation."""
        return self.storage.put(self.inbox, name, data)

    def call(self, module: Any, **fields: Any) -> Any:
        """Call a step's function as the edge does, by the step table."""
        from sealtrain.rules.step_table import function

        row = function(module.__name__.rpartition(".")[2])
        needs = {need: getattr(self, need) for need in row.needs}
        verb = getattr(module, row.name)
        return verb(module.Request(**fields), **needs, settings=self.settings, clock=self.clock)

    def admit(self, object_name: str = "incoming/data.csv", job: bytes | None = None) -> str:
        """Upload and admit one run; give its id."""
        from sealtrain.steps import admit_run

        if job is not None:
            self.upload("incoming/set/data.csv")
            object_name = "incoming/set/job.yaml"
        generation = self.upload(object_name, CSV if job is None else job)
        return self.admit_again(admit_run, object_name, generation)

    def admit_again(self, module: Any, object_name: str, generation: str) -> str:
        """Admit an uploaded object; give the run id."""
        found = self.call(
            module,
            bucket=self.inbox,
            object=object_name,
            generation=generation,
            attempt=1,
            execution="execution-1",
            callback_url="http://127.0.0.1:1/callback",
        )
        return str(found.run)

    def prepare(self, job: bytes | None = None) -> str:
        """A run that is planned, has key and bucket, and is sealed."""
        from sealtrain.steps import create_bucket, create_key, plan_capacity, seal_dataset

        run = self.admit(job=job)
        for module in (plan_capacity, create_key, create_bucket, seal_dataset):
            self.call(module, run=run)
        return run

    def phases(self, run: str) -> list[tuple[str, str]]:
        """(kind, phase) of the run's ledger, sorted."""
        return sorted((e.kind, e.phase) for e in self.ledger.entries(run))
