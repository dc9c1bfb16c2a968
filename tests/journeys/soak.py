"""The long stories: many kills of the stand-in, many runs at once. A small dose of each is in the tests.

    python -m tests.journeys.soak kills [--count 50] [--seed 1]
    python -m tests.journeys.soak runs [--count 50]

`--state DIR` keeps the world, and what it logged, for a look at what went wrong.

- `kills`: kill -9 at random moments, started again each time, over as many runs as it takes. Each run must
  close as one that nobody disturbed: succeeded, one machine, a bundle whose every check holds, nothing that
  bills.
- `runs`: so many uploads at once. All must close like that; told are the times and the memory.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sealtrain.rules import names
from sealtrain.rules.uploads import Upload, run_of

from cli.api import Api
from cli.deploy.stand_in import MACHINE_ENV
from cli.stand_in import StandIn
from cli.trust import check
from cli.verbs.fetch import public_keys
from tests.journeys.world import World, start

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = ROOT / "workload" / "trainers" / "minimal"
DATA = b"a,b,c\n" + b"1,2,x\n3,4,y\n" * 10
BOUND_S = 240.0


def undisturbed(world: World, upload: Upload) -> None:
    """Raises AssertionError unless the run closed as it does when nothing happens."""
    run = run_of(upload)
    closed = world.closed(upload, BOUND_S)
    assert closed["outcome"] == "succeeded", closed
    assert world.bills(run) == []
    for kind in ("instance", "bucket", "key"):
        assert len(world.ledger(run, kind, "made")) == 1, (run, kind)
    bundle = world.evidence.blob(names.bundle(run)).download_as_bytes()
    checks, _ = check(bundle, public_keys(Api(world.settings), world.settings), datetime.now(UTC))
    assert [one for one in checks if not one.ok] == []


def kills(state: Path, count: int, seed: int, longest_life_s: float = 0.0) -> int:
    """Kill the stand-in `count` times at random moments of runs; how many runs that took.

    It lives for at most `longest_life_s` between two kills; 0: as long as one run takes on this machine.
    """
    moments, runs, killed = random.Random(seed), 0, 0
    stand_in, world = start(state, [MINIMAL])
    try:
        if not longest_life_s:
            longest_life_s = runs_at_once(world, 1)[0]
        while killed < count:
            upload = world.upload(f"killed-{runs}", DATA, f"trainer: {world.trainers['minimal']}\n")
            while killed < count and world.record(names.closed(run_of(upload))) is None:
                time.sleep(moments.uniform(0, longest_life_s))
                stand_in = killed_and_started(stand_in)
                killed += 1
            undisturbed(world, upload)
            runs += 1
            print(f"{killed:3} kills, {runs} runs closed as if nothing had been", flush=True)
    finally:
        stand_in.__exit__(None, None, None)
    return runs


def killed_and_started(stand_in: StandIn) -> StandIn:
    """kill -9, and a new one on the same state and port."""
    port = int(stand_in.ready.endpoint.rpartition(":")[2])
    os.kill(stand_in.pid, signal.SIGKILL)
    stand_in.__exit__(None, None, None)
    return StandIn(stand_in.state, port, MACHINE_ENV).__enter__()


def runs_at_once(world: World, count: int) -> list[float]:
    """Seconds until each of `count` uploads at once was closed, all as if it had been alone."""
    job = f"trainer: {world.trainers['minimal']}\n"
    began = time.monotonic()
    waiting = uploads = [world.upload(f"at-once-{number}", DATA, job) for number in range(count)]
    closed: list[float] = []
    while waiting and time.monotonic() - began < BOUND_S + 30 * count:
        ended = [one for one in waiting if world.record(names.closed(run_of(one)))]
        closed += [time.monotonic() - began] * len(ended)
        waiting = [one for one in waiting if one not in ended]
        time.sleep(0.5)
    for upload in uploads:
        undisturbed(world, upload)
    return closed


class Memory:
    """The greatest memory, in MB, of a process and of everything below it, looked at every second."""

    def __init__(self, pid: int) -> None:
        self.own = self.all = 0.0
        self._process, self._stop = psutil.Process(pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(1.0):
            sizes = [self._process.memory_info().rss]
            for child in self._process.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    sizes.append(child.memory_info().rss)
            self.own, self.all = max(self.own, sizes[0] / 1e6), max(self.all, sum(sizes) / 1e6)


def main() -> None:
    """Play one story and say what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("story", choices=["kills", "runs"])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="default: a folder that is removed")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        state = arguments.state or Path(folder) / "world"
        if arguments.story == "kills":
            runs = kills(state, arguments.count, arguments.seed)
            print(f"{arguments.count} kills (seed {arguments.seed}): all {runs} runs closed")
        else:
            stand_in, world = start(state, [MINIMAL])
            memory = Memory(stand_in.pid)
            try:
                closed = runs_at_once(world, arguments.count)
                calls = len(world.get("/_control/calls")["calls"])
            finally:
                memory.stop()
                stand_in.__exit__(None, None, None)
            first, last = closed[0], closed[-1]
            print(f"{len(closed)} runs at once: first closed after {first:.0f} s, last after {last:.0f} s")
            print(f"memory at most: the stand-in {memory.own:.0f} MB, all it started {memory.all:.0f} MB")
            print(f"API calls kept on record: {calls}; nothing of the runs bills")
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
