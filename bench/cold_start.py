"""Process start to first answer, for each function on the way of a run, beside two floors in the same run.

    python bench/cold_start.py [--rounds N]

A run is driven by hand, step by step, on a fresh stand-in: each function's process is started by its first
call, which does its real work (through the front door, as the workflow calls it). The floors, on the same
server and asking the same metadata server who they are:

- empty: a function that imports nothing;
- clients: one that imports and builds just the Google clients that the step table says ours needs;
- work: the same, which then makes as many API calls as ours was seen to make, each the cheapest there is
  (one small object's metadata, by the storage client). This is the honest one: no function can do its work
  in less.

Shown: medians in seconds, the number of calls, and ours as a multiple of the last two floors (aim 1.15 of
the last). The machine is noisy: only ratios count.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from sealtrain.rules import names  # noqa: E402
from sealtrain.rules.step_table import Function, function  # noqa: E402
from sealtrain.rules.uploads import run_of  # noqa: E402

from cli.deploy.stand_in import environment  # noqa: E402
from localcloud.identity.metadata import Identity, MetadataServer  # noqa: E402
from tests.journeys.world import World, start  # noqa: E402

CLIENTS = {
    "storage": "from google.cloud import storage; storage.Client(project='p')",
    "kms": "from google.cloud import kms_v1; kms_v1.KeyManagementServiceClient(transport='rest')",
    "compute": "from google.cloud import compute_v1; compute_v1.InstancesClient()",
    "pubsub": "from google.cloud import pubsub_v1; pubsub_v1.PublisherClient.get_transport_class('rest')()",
    "bigquery": "from google.cloud import bigquery; bigquery.Client(project='p')",
    "executions": "from google.auth import default; default()",
    "state": "from google.cloud import storage",
    "ledger": "from google.cloud import storage",
}
EMPTY = "import functions_framework\n\n\n@functions_framework.http\ndef target(request):\n    return 'ok'\n"
WORK = """
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
client = storage.Client("p", AnonymousCredentials(), client_options={{"api_endpoint": "{endpoint}"}})
for _ in range({calls}):
    client.bucket("{bucket}").get_blob("incoming/bench.csv")
"""
TRAIN = "projects/{project}/locations/{region}/workflows/train"
DATA = b"a,b,c\n" + b"1,2,x\n3,4,y\n" * 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    times: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            stand_in, world = start(Path(folder) / f"world-{number}", [])
            try:
                for name, seconds in way_of_a_run(world):
                    kinds = ("empty", "clients", "work", "ours", "calls")
                    row = times.setdefault(name, {kind: [] for kind in kinds})
                    row["ours"].append(seconds)
                    row["calls"].append(calls_by(name, world))
                    for kind, took in floors(function(name), world, Path(folder), int(row["calls"][-1])):
                        row[kind].append(took)
            finally:
                stand_in.__exit__(None, None, None)
    heads = ("empty", "clients", "work", "ours", "calls", "/clients", "/work")
    print(f"{'function':20}" + "".join(f"{head:>9}" for head in heads))
    for name, row in times.items():
        empty, clients, work, ours, calls = (median(seen) for seen in row.values())
        shown = f"{empty:9.2f}{clients:9.2f}{work:9.2f}{ours:9.2f}{calls:9.0f}"
        print(f"{name:20}{shown}{ours / clients:9.2f}{ours / work:9.2f}")


def calls_by(name: str, world: World) -> int:
    """How many API calls the function has made so far."""
    account = names.service_account(world.settings, names.hyphened(name))
    seen = world.get("/_control/calls")["calls"]
    return sum(one["caller"] == f"serviceAccount:{account}" for one in seen)


def way_of_a_run(world: World) -> Iterator[tuple[str, float]]:
    """Each step of one run in order, called by hand, with the seconds of its (cold) first call."""
    settings = world.settings
    train = TRAIN.format(project=settings.project, region=settings.region)
    # Nobody else drives the run.
    requests.delete(f"{world.endpoint}/v1/{train}", timeout=30).raise_for_status()
    upload = world.upload("bench.csv", DATA)
    run = run_of(upload)
    fields = {key: getattr(upload, key) for key in ("bucket", "object", "generation", "attempt")}
    callback = f"{world.endpoint}/v1/{train}/executions/bench/callbacks/none"
    yield "admit_run", call(world, "admit_run", {**fields, "execution": "bench", "callback_url": callback})
    making = ("plan_capacity", "create_key", "create_bucket", "seal_dataset", "reserve_capacity", "start_vm")
    for name in making:
        yield name, call(world, name, {"run": run})
    world.until(lambda: world.record(names.token(run)), "the VM has attested itself")
    yield "verify_evidence", call(world, "verify_evidence", {"run": run})
    yield "submit_job", call(world, "submit_job", {"run": run})
    world.until(lambda: world.record(names.receipt(run)), "the workload has signed its receipt")
    yield "publish_model", call(world, "publish_model", {"run": run})
    data = base64.b64encode(json.dumps({"run": run, "reason": "the run has ended"}).encode()).decode()
    push = {"subscription": "bench", "message": {"messageId": "1", "data": data, "attributes": {}}}
    yield "tear_down", call(world, "tear_down", push)
    world.until(lambda: call(world, "tear_down", push) and world.record(names.proof(run)), "all is gone")
    yield "close_run", call(world, "close_run", {"run": run, "failure": None})


def call(world: World, name: str, body: dict[str, object]) -> float:
    """Seconds of one call through the front door."""
    began = time.perf_counter()
    answer = requests.post(f"{world.front}/{names.hyphened(name)}", json=body, timeout=120)
    took = time.perf_counter() - began
    if answer.status_code not in (200, 503):
        raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
    return took


def floors(row: Function, world: World, folder: Path, calls: int) -> Iterator[tuple[str, float]]:
    """Seconds to the first answer of each floor."""
    settings = world.settings
    identity = Identity(
        email=names.service_account(settings, names.hyphened(row.name)),
        project=settings.project,
        number=settings.project_number,
        region=settings.region,
        access_token=lambda: ("for-nothing", 3600),
        id_token=lambda audience: audience,
    )
    metadata = MetadataServer(identity)
    try:
        clients = EMPTY + clients_of(row)
        sources = {"empty": EMPTY, "clients": clients, "work": clients + work_of(world, calls)}
        for kind, source in sources.items():
            yield kind, first_answer(written(folder / f"{row.name}-{kind}", source), metadata.address, world)
    finally:
        metadata.close()


def clients_of(function: Function) -> str:
    """Source lines that import and build a function's clients at the first request."""
    lines = dict.fromkeys(CLIENTS[need] for need in function.needs)
    body = "\n".join(f"    {line}" for line in lines) or "    pass"
    return f"\n\ndef clients():\n{body}\n\n\nclients()\n"


def work_of(world: World, calls: int) -> str:
    """Source lines that make so many API calls when the function starts."""
    return WORK.format(endpoint=world.endpoint, bucket=world.inbox.name, calls=calls)


def written(folder: Path, source: str) -> Path:
    """A folder with this main.py."""
    folder.mkdir(exist_ok=True)
    (folder / "main.py").write_text(source)
    return folder


def first_answer(source: Path, metadata: str, world: World) -> float:
    """Seconds from the start of the process to its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "functions_framework", "--source", "main.py", "--target", "target"]
    env = {"GCE_METADATA_HOST": metadata, "GCE_METADATA_IP": metadata, **environment(world.settings)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*argv, "--host", "127.0.0.1", "--port", str(port)],
        cwd=source,
        env={"PATH": os.environ["PATH"], **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None and time.perf_counter() - began < 60:
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=60)
            except requests.ConnectionError:
                time.sleep(0.005)
                continue
            return time.perf_counter() - began
        raise SystemExit(f"{source} did not answer")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
