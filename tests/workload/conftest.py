"""One run of the workload against the in-test cloud, as the machine runs it: from its image."""

import base64
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sealtrain.rules import canonical, later, signing
from sealtrain.rules.sealed import dataset_id
from sealtrain.sealing import DataKey, associated_data, count_parts, new_data_key, seal

from cli.image import layout as image
from tests.workload.fake_cloud import FakeCloud, World, sha256

TRAINERS = Path(__file__).parents[2] / "workload" / "trainers"
PART_BYTES = 40_000


@dataclass
class Run:
    """One order in a world; change `order` before `start`."""

    cloud: FakeCloud
    app: Path
    files: dict[str, bytes]
    key: DataKey = field(default_factory=new_data_key)
    place_key: later.PlaceKey = field(default_factory=later.PlaceKey.new)
    order: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def world(self) -> World:
        return self.cloud.world

    def __post_init__(self) -> None:
        identity = dataset_id((p, len(c), sha256(c)) for p, c in self.files.items())
        self.order = {
            "version": 1,
            "run": "r0123456789ab",
            "project": "p",
            "project_number": "1",
            "region": "us-central1",
            "deployment": "sealtrain",
            "dataset": {
                "sealed_by": "service",
                "id": identity,
                "bucket": "sealed",
                "prefix": "data/x/",
                "files": [self._seal(identity, path, c) for path, c in self.files.items()],
            },
            "source": {"bucket": "inbox", "objects": []},
            "image": "registry.example/p/t@sha256:" + "1" * 64,
            "image_digest": "sha256:" + "1" * 64,
            "format": "csv",
            "arguments": {},
            "limits": {"seconds": 30, "disk_bytes": 10**7, "memory_bytes": 4 * 2**30},
            "release": {
                "kms_key": "release-key",
                "object": "gs://state/runs/r/release.json",
                "sts_audience": "//iam.googleapis.com/pool",
            },
            "output": {"bucket": "models", "prefix": "r0123456789ab/", "kms_key": "owner-key"},
            "checkpoint": {
                "bucket": "checkpoints",
                "prefix": "r0123456789ab/",
                "kms_key": "checkpoint-key",
                "resume": None,
            },
            "evidence": {
                "bucket": "evidence",
                "prefix": "shown/r0123456789ab/",
                "audience": "sealtrain-evidence",
                "renew_s": 3600,
                "places": self.place_key.public(),
            },
            "events_topic": "projects/p/topics/events",
        }

    def _seal(self, identity: str, path: str, content: bytes) -> dict[str, Any]:
        count, source, parts = count_parts(len(content), PART_BYTES), BytesIO(content), []
        for number in range(count):
            out = BytesIO()
            place = associated_data(identity, path, number, count)
            sealed = seal(source, out, self.key, place, limit=PART_BYTES)
            name = f"data/x/part-{len(self.world.objects):05d}"
            self.world.objects["sealed", name] = out.getvalue()
            parts.append(
                {
                    "object": name,
                    "size": sealed.size,
                    "sha256": sealed.sha256,
                    "sealed_size": sealed.sealed_size,
                    "sealed_sha256": sealed.sealed_sha256,
                }
            )
        return {"path": path, "size": len(content), "sha256": sha256(content), "parts": parts}

    def freeze(self) -> None:
        """Write the order; what is changed afterwards is tampering."""
        data = canonical.dumps(self.order)
        self.digest = canonical.digest(data)
        self.world.objects["state", "order.json"] = data

    def release(self, order_digest: str | None = None, bound_to: str | None = None) -> None:
        """Hand over the wrapped key."""
        wrapped = self.world.wrap(self.key.serialize(), (bound_to or self.digest).encode())
        released = {
            "order_digest": order_digest or self.digest,
            "wrapped_key": base64.b64encode(wrapped).decode(),
            "key_version": "release-key/1",
        }
        self.world.objects["state", "runs/r/release.json"] = canonical.dumps(released)

    def start(self) -> "subprocess.Popen[str]":
        """Start the workload from its unpacked image."""
        if not self.digest:
            self.freeze()
        given = ["--order", "gs://state/order.json", "--order-digest", self.digest]
        return subprocess.Popen(
            [sys.executable, "-m", "workload", *given],
            cwd=self.app,
            env={"PYTHONPATH": str(self.app), "PATH": "/usr/bin:/bin"} | self.cloud.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, released: bool = True) -> tuple[int, str]:
        """Run to the end; give the exit code and everything printed."""
        if not self.digest:
            self.freeze()
        if released:
            self.release()
        process = self.start()
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed

    def stop_when(
        self, condition: Callable[[], bool], number: signal.Signals = signal.SIGTERM
    ) -> tuple[int, str]:
        """Start, send the signal as soon as the condition holds, and give how it ended."""
        process = self.start()
        for _ in range(600):
            if condition() or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=30)
        return process.returncode, printed

    def place(self, number: int) -> tuple[str, str]:
        """Bucket and name of the n-th later token; of the first while that is not there."""
        prefix = self.order["evidence"]["prefix"]
        first = ("evidence", f"{prefix}token.json")
        if first not in self.world.objects or not number:
            return first
        machines = signing.public_key(json.loads(self.world.objects[first])["public_key_pem"])
        return "evidence", later.place(prefix, self.place_key.key(), machines, number)

    def stands(self, number: int) -> bool:
        """Whether the n-th later token was shown."""
        place = self.place(number)
        return place != self.place(0) and place in self.world.objects

    def record(self, bucket: str, name: str) -> Any:
        """Read a JSON object that the run wrote."""
        return json.loads(self.world.objects[bucket, name])


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacked images by trainer: `tabular`, `minimal`, or source of a trainer of one file."""
    made: dict[str, Path] = {}

    def app(trainer: str) -> Path:
        if trainer not in made:
            root = tmp_path_factory.mktemp("image")
            folder = TRAINERS / trainer
            if "\n" in trainer or not folder.is_dir():
                folder = root / "source"
                (folder / "trainer").mkdir(parents=True)
                (folder / "trainer" / "__main__.py").write_text(trainer)
            for name, content in image.tree(folder).items():
                (root / "app" / name).parent.mkdir(parents=True, exist_ok=True)
                (root / "app" / name).write_bytes(content)
            made[trainer] = root / "app"
        return made[trainer]

    return app


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A fresh world behind both doors; the socket's path must be short."""
    folder = tempfile.mkdtemp(dir="/tmp", prefix="st-")
    with FakeCloud(Path(folder, "s")) as fake:
        yield fake
    shutil.rmtree(folder)


@pytest.fixture
def make_run(cloud: FakeCloud, apps: Callable[[str], Path]) -> Callable[..., Run]:
    """Prepare a run of a trainer on files."""

    def make(trainer: str = "minimal", files: dict[str, bytes] | None = None) -> Run:
        return Run(cloud, apps(trainer), files or {"a.csv": b"x,y\nsalt,2\n", "in/b.csv": b""})

    return make
