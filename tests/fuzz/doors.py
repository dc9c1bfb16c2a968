"""Fuzz the doors: `python -m tests.fuzz.doors [--seconds 600] [--seed N]`. Exit 1 if any answer was wrong.

A stand-in in a process of its own. No answer may be 500, be an error that is not in Google's shape, or fail
to come within half a minute; afterwards the stand-in must still tell its health and its inventory.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from localcloud.stand_in import open_doors
from tests.fuzz.door_requests import Generator, Request

PATIENCE_S = 30
_FINE = {501, 503}  # "not imitated"; what Google says too, of a function that cannot start


class Fuzzer:
    """Sends what a generator draws, and judges the answers."""

    def __init__(self, endpoint: str, seed: int) -> None:
        self._host = urlsplit(endpoint).netloc
        self._generator = Generator(seed)
        self._connection = http.client.HTTPConnection(self._host, timeout=PATIENCE_S)
        self.counts: Counter[int] = Counter()
        self.methods: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self, going_on: Callable[[], bool]) -> None:
        """Go on while told so."""
        while going_on():
            request = self._generator.next()
            try:
                status, content, kind = self._send(request)
            except TimeoutError:
                self._fail(request, f"no answer in {PATIENCE_S} s")
                continue
            except (OSError, http.client.HTTPException) as error:
                self._fail(request, repr(error))
                continue
            self.counts[status] += 1
            self.methods[request.method] += status < 300
            self._judge(request, status, content, kind)

    def _send(self, request: Request) -> tuple[int, bytes, str]:
        self._connection.request(request.verb, request.path, request.body, request.headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Content-Type", "")

    def _judge(self, request: Request, status: int, content: bytes, kind: str) -> None:
        answer = _json(content) if kind.startswith("application/json") else None
        if status >= 500 and status not in _FINE:
            self._fail(request, f"{status} {content[:300]!r}")
        elif status >= 400 and request.verb != "HEAD" and status != 416:
            known = isinstance(answer, dict) and ("error" in answer or "errors" in answer)
            if not known:
                self._fail(request, f"{status} is not in Google's shape: {content[:300]!r}")
        self._generator.learn(request, status, answer)

    def _fail(self, request: Request, why: str) -> None:
        self.failures.append(
            f"{request.method}: {request.verb} {request.path}\n  {request.body[:1500]!r}\n  {why}"
        )
        self._connection.close()
        self._connection = http.client.HTTPConnection(self._host, timeout=PATIENCE_S)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None  # an object's bytes, say


def let_keyboard_use_keys(endpoint: str) -> None:
    """Make the person at the keyboard, as whom the fuzzer calls, an owner."""
    members = ["user:you@localhost"]
    roles = ("roles/owner", "roles/localcloud.keyboard")
    policy = {"bindings": [{"role": role, "members": members} for role in roles]}
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=PATIENCE_S)
    connection.request("POST", "/v3/projects/demo-project:setIamPolicy", json.dumps({"policy": policy}))
    connection.getresponse().read()


def main() -> int:
    """Run for a while, tell what came."""
    parser = argparse.ArgumentParser(description="Fuzz the doors of a stand-in.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=3)
    asked = parser.parse_args()
    open_doors()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        ready = Path(folder) / "ready.json"
        command = [
            sys.executable,
            "-m",
            "localcloud",
            "up",
            "--state",
            f"{folder}/state",
            "--ready-file",
            str(ready),
        ]
        with (Path(folder) / "stderr").open("wb") as errors:
            stand_in = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            while not ready.exists() or not ready.read_text():
                time.sleep(0.05)
            return _fuzz(json.loads(ready.read_text())["endpoint"], asked)
        finally:
            stand_in.terminate()
            stand_in.wait(30)
            sys.stdout.write((Path(folder) / "stderr").read_text(errors="replace")[-20_000:])


def _fuzz(endpoint: str, asked: argparse.Namespace) -> int:
    let_keyboard_use_keys(endpoint)
    fuzzers = [Fuzzer(endpoint, asked.seed * 1000 + n) for n in range(asked.threads)]
    end = time.monotonic() + asked.seconds
    threads = [threading.Thread(target=f.run, args=(lambda: time.monotonic() < end,)) for f in fuzzers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = [failure for fuzzer in fuzzers for failure in fuzzer.failures]
    counts: Counter[int] = sum((fuzzer.counts for fuzzer in fuzzers), Counter())
    done: Counter[str] = sum((fuzzer.methods for fuzzer in fuzzers), Counter())
    for word in ("health", "inventory"):
        connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=PATIENCE_S)
        connection.request("GET", f"/_control/{word}")
        if connection.getresponse().status != 200:
            failures.append(f"afterwards: no {word}")
    told = dict(sorted(counts.items()))
    print(f"{counts.total():,} requests in {asked.seconds:.0f} s, seed {asked.seed}: {told}")
    print(f"{len(done)} methods answered 2xx at least once; {len(failures)} failures")
    print("\n".join(failures[:50]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
