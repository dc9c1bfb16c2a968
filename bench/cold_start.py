"""Process start to first answer, for each function, beside two floors on the same server in the same run.

    python bench/cold_start.py [--rounds N] [FUNCTION ...]

The floors are a function that imports nothing, and one that imports and builds just the Google clients that
the step table says it needs. All three are started the same way (`python -m functions_framework`), ask the
same metadata server who they are, and are asked once; the request names a run that does not exist, so the
first answer includes a first call of an API. Shown: medians in seconds, and ours as a multiple of the
clients' floor (aim 1.15). The machine is noisy: rounds alternate between the three, and only ratios count.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from sealtrain.rules import names  # noqa: E402
from sealtrain.rules.step_table import FUNCTIONS, Function  # noqa: E402

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
REQUEST = b'{"run": "r000000000000"}'
PUSH = b'{"subscription": "s", "message": {"messageId": "1", "data": "eyJydW4iOiAicjAwMDAwMDAwMDAwMCJ9"}}'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("functions", nargs="*", help="only these (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    chosen = [f for f in FUNCTIONS if not arguments.functions or f.name in arguments.functions]
    with tempfile.TemporaryDirectory() as folder:
        stand_in, world = start(Path(folder) / "world", [])
        try:
            print(f"{'function':20} {'empty':>7} {'clients':>8} {'ours':>7} {'ours/clients':>13}")
            for function in chosen:
                row(function, world, Path(folder), arguments.rounds)
        finally:
            stand_in.__exit__(None, None, None)


def row(function: Function, world: World, folder: Path, rounds: int) -> None:
    """One line of the table."""
    settings = world.settings
    account = names.service_account(settings, names.hyphened(function.name))
    identity = Identity(
        email=account,
        project=settings.project,
        number=settings.project_number,
        region=settings.region,
        access_token=lambda: ("no-such-token", 3600),
        id_token=lambda audience: audience,
    )
    metadata = MetadataServer(identity)
    sources = {
        "empty": written(folder / "empty", EMPTY),
        "clients": written(folder / function.name, EMPTY + clients_of(function)),
        "ours": ROOT / "functions",
    }
    times: dict[str, list[float]] = {kind: [] for kind in sources}
    try:
        for _ in range(rounds):
            for kind, source in sources.items():
                times[kind].append(first_answer(function, kind, source, metadata.address, world))
    finally:
        metadata.close()
    empty, clients, ours = (median(times[kind]) for kind in ("empty", "clients", "ours"))
    print(f"{function.name:20} {empty:7.2f} {clients:8.2f} {ours:7.2f} {ours / clients:13.2f}", flush=True)


def clients_of(function: Function) -> str:
    """Source lines that import and build a function's clients at the first request."""
    lines = dict.fromkeys(CLIENTS[need] for need in function.needs)
    body = "\n".join(f"    {line}" for line in lines) or "    pass"
    return f"\n\ndef clients():\n{body}\n\n\nclients()\n"


def written(folder: Path, source: str) -> Path:
    """A folder with this main.py."""
    folder.mkdir(exist_ok=True)
    (folder / "main.py").write_text(source)
    return folder


def first_answer(function: Function, kind: str, source: Path, metadata: str, world: World) -> float:
    """Seconds from the start of the process to its first answer, whatever the answer says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    target = function.name if kind == "ours" else "target"
    argv = [sys.executable, "-m", "functions_framework", "--source", "main.py", "--target", target]
    env = {
        "PATH": os.environ["PATH"],
        "FUNCTION_TARGET": target,
        "GCE_METADATA_HOST": metadata,
        "GCE_METADATA_IP": metadata,
        **environment(world.settings),
    }
    body = PUSH if kind == "ours" and function.kind == "listener" else REQUEST
    began = time.perf_counter()
    process = subprocess.Popen(
        [*argv, "--host", "127.0.0.1", "--port", str(port)],
        cwd=source,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None and time.perf_counter() - began < 60:
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, headers)
            try:
                urllib.request.urlopen(request, timeout=60).read()  # noqa: S310
            except urllib.error.HTTPError:
                return time.perf_counter() - began
            except OSError:
                time.sleep(0.005)
                continue
            return time.perf_counter() - began
        raise SystemExit(f"{function.name} ({kind}) did not answer")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
