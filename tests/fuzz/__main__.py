"""`python -m tests.fuzz [--inputs N] [--seed S] [--jobs J]`: no crash, no hang, no accept; exit 1 otherwise.

Each input is made from its number and the seed alone, so that a failure can be made again by itself.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.fuzz.targets import TARGETS

SLOW_S = 1.0  # of CPU time
HANG_S = 60
CHUNK = 10_000


class Result:
    """What happened to the inputs of all targets."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.reasons: dict[str, Counter[str]] = {name: Counter() for name in TARGETS}
        self.failures: list[str] = []

    def add(self, other: Result) -> None:
        """Take in what another process did."""
        self.inputs += other.inputs
        self.seconds += other.seconds
        self.failures += other.failures
        for name, reasons in other.reasons.items():
            self.reasons[name] += reasons
            self.slowest[name] = max(self.slowest.get(name, 0.0), other.slowest.get(name, 0.0))


def run(numbers: range, seed: int) -> Result:
    """Try the inputs with these numbers, each target its share."""
    result, names = Result(), list(TARGETS)
    shares = [TARGETS[name][1] for name in names]
    for number in numbers:
        source = random.Random(f"{seed}/{number}")
        name = source.choices(names, shares)[0]
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        begun = time.process_time()
        try:
            tried = TARGETS[name][0](source)
        except Exception:  # whatever it is, it must not come out of a verifier
            result.failures.append(f"crash: {name}, input {seed}/{number}\n{traceback.format_exc()}")
            continue
        took = time.process_time() - begun
        result.inputs[name] += 1
        result.seconds[name] += took  # type: ignore[assignment]
        result.slowest[name] = max(took, result.slowest.get(name, 0.0))
        result.reasons[name][tried.reason] += 1
        if tried.accepted:
            result.failures.append(f"accept: {name}, input {seed}/{number}")
        if took > SLOW_S:
            result.failures.append(f"slow: {name}, input {seed}/{number}: {took:.1f} s")
    faulthandler.cancel_dump_traceback_later()
    return result


def main() -> int:
    """Run and print one line per target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes beside each other")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # odd certificates are what this is about
    result, starts = Result(), range(0, chosen.inputs, CHUNK)
    parts = [range(start, min(start + CHUNK, chosen.inputs)) for start in starts]
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for done, part in enumerate(pool.map(partial(run, seed=chosen.seed), parts), 1):
            result.add(part)
            if done % 10 == 0:
                print(f"{done * CHUNK} inputs", file=sys.stderr, flush=True)
    for name in TARGETS:
        count, seconds = result.inputs[name], result.seconds[name]
        rate = count / seconds if seconds else 0
        common = ", ".join(f"{reason} {n}" for reason, n in result.reasons[name].most_common(5))
        slowest = result.slowest.get(name, 0) * 1000
        print(f"{name:25} {count:>8} inputs  {rate:>6.0f}/s  slowest {slowest:>6.1f} ms  {common}")
    for failure in sorted(result.failures, key=len)[:50]:
        print(failure)
    total = sum(result.inputs.values())
    print(
        f"{total} inputs, seed {chosen.seed}: {len(result.failures)} failures (crash, hang, slow or accept)"
    )
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
