"""A large dataset, made on the fly, sealed into storage and opened to disk by processes that are killed.

    python bench/large_dataset.py [--gib 10] [--kills 10]

Half of the kills (SIGKILL, in the middle of a part) meet the sealing, half the opening; each time a new
process goes on. Printed: time, and the highest memory of any of these processes above what it took when idle
(aim: at most 96 MB, whatever the size). What was opened is compared with what was made, byte for byte.
tests/functions/sealing/test_large.py runs this same code with small numbers.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

import msgspec  # noqa: E402
from sealtrain.sealing import (  # noqa: E402
    PART_BYTES,
    DataKey,
    Manifest,
    Part,
    Reader,
    Writer,
    open_file,
    parse_owners_manifest,
)
from sealtrain.sealing.buckets import BucketVault  # noqa: E402
from sealtrain.sealing.session import Session  # noqa: E402

from bench.sealing_place import BUCKET, memory_bytes, rooms, started  # noqa: E402

FILES = 2
_BLOCK = 1 << 20


class Made:
    """A file whose bytes follow from their place: no two blocks are alike, none is kept."""

    def __init__(self, number: int, size: int) -> None:
        self.path, self.size, self._number = f"made-{number}.bin", size, number

    @contextmanager
    def open(self, offset: int) -> Iterator[Reader]:
        """Its bytes from `offset` on."""
        yield _MadeReader(self._number, self.size, offset)


class _MadeReader:
    def __init__(self, number: int, size: int, at: int) -> None:
        self._number, self._size, self._at = number, size, at

    def read(self, size: int = -1, /) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        made = b""
        while self._at < end:
            block, start = divmod(self._at, _BLOCK)
            piece = (self._number << 40 | block).to_bytes(8, "big") * (_BLOCK // 8)
            taken = piece[start : start + end - self._at]
            made, self._at = made + taken if made else taken, self._at + len(taken)
        return made


class Telling(BucketVault):
    """Says when a part begins, so that whoever kills knows where the work is."""

    @contextmanager
    def writer(self, name: str) -> Iterator[Writer]:
        """A new object."""
        say("part", name)
        with super().writer(name) as writer:
            yield writer


def seal(endpoint: str, sizes: list[int], part_bytes: int) -> None:
    """The sealing process."""
    storage, key = rooms(endpoint)
    vault = Telling(BUCKET, "sealing/", storage)
    say("idle", memory_bytes("self", "VmRSS"))
    sources = [Made(number, size) for number, size in enumerate(sizes)]
    found = Session(sources, vault, key, prefix="data/", part_bytes=part_bytes).advance(lambda: True)
    if found is None:
        raise AssertionError("there was time")
    manifest = Manifest(found.id, "owner", found.files)
    wrapped = key.wrap(found.key.serialize(), manifest.binding())
    storage.create(BUCKET, "manifest.json", msgspec.structs.replace(manifest, key=wrapped).encode())
    vault.forget()
    say("peak", memory_bytes("self", "VmHWM"))


def open_all(endpoint: str, folder: Path) -> None:
    """The opening process."""
    storage, key = rooms(endpoint)
    say("idle", memory_bytes("self", "VmRSS"))
    manifest, wrapped = parse_owners_manifest(storage.get(BUCKET, "manifest.json"))
    data_key = DataKey.parse(key.unwrap(wrapped))

    @contextmanager
    def fetch(part: Part) -> Iterator[Reader]:
        say("part", part.object)
        yield storage.open_reader(BUCKET, part.object)

    for file in manifest.files:
        with (folder / file.path).open("a+b") as made, (folder / file.path).open("r+b") as out:
            made.flush()
            open_file(manifest, file, fetch, out, data_key)
    say("peak", memory_bytes("self", "VmHWM"))


def say(word: str, value: Any) -> None:
    """One line for the parent."""
    print(json.dumps([word, value]), flush=True)


def driven(command: list[str], parts: int, kills: int) -> tuple[float, int, int]:
    """Run a process to its end over `kills` kills; seconds, highest memory above idle, kills that met it."""
    began, highest, killed, begun = time.monotonic(), 0, 0, 0
    while True:
        idle = 0
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), *command], stdout=subprocess.PIPE, text=True
        )
        with ended(process):
            for line in process.stdout or ():
                word, value = json.loads(line)
                if word == "idle":
                    idle = value
                elif word == "peak":
                    highest = max(highest, value - idle)
                else:
                    begun += 1
                if word == "part" and killed < kills and begun >= (killed + 1) * parts / (kills + 1):
                    time.sleep(0.05)  # into the part
                    highest = max(highest, memory_bytes(process.pid, "VmHWM") - idle)
                    process.kill()
                    killed += 1
                    break
        if process.returncode == 0:
            return time.monotonic() - began, highest, killed
        if process.returncode != -signal.SIGKILL:
            raise AssertionError(f"{command[0]} ended with {process.returncode}")


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Whatever happens, the process does not outlive this."""
    with process:
        try:
            yield
        except BaseException:
            process.kill()
            raise


def run(folder: Path, total_bytes: int, part_bytes: int, kills: int) -> dict[str, Any]:
    """Seal and open `total_bytes` in FILES files, interrupted `kills` times; what was seen."""
    sizes = [total_bytes // FILES] * FILES
    parts = sum(-(-size // part_bytes) for size in sizes)
    opened = folder / "opened"
    opened.mkdir()
    with started(folder / "state") as endpoint:
        given = ["--endpoint", endpoint, "--sizes", *map(str, sizes), "--part-bytes", str(part_bytes)]
        seal_s, seal_peak, seal_kills = driven(["seal", *given], parts, kills // 2)
        open_s, open_peak, open_kills = driven(
            ["open", "--endpoint", endpoint, "--folder", str(opened)], parts, kills - kills // 2
        )
    same = all(_same(opened / made.path, made) for made in map(Made, range(FILES), sizes))
    return {
        "bytes": sum(sizes),
        "parts": parts,
        "kills": seal_kills + open_kills,
        "seal_s": seal_s,
        "open_s": open_s,
        "peak_above_idle_bytes": max(seal_peak, open_peak),
        "same": same,
    }


def _same(file: Path, made: Made) -> bool:
    with file.open("rb") as there, made.open(0) as wanted:
        while chunk := there.read(_BLOCK):
            if chunk != wanted.read(_BLOCK):
                return False
        return wanted.read(1) == b""


def main() -> None:
    """Measure and print, or be one of the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", nargs="?", choices=["seal", "open"])
    parser.add_argument("--gib", type=float, default=10)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--part-bytes", type=int, default=PART_BYTES)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.work == "seal":
        seal(asked.endpoint, asked.sizes, asked.part_bytes)
    elif asked.work == "open":
        open_all(asked.endpoint, asked.folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = run(Path(folder), int(asked.gib * 2**30), asked.part_bytes, asked.kills)
        print(f"{found['bytes'] / 1e9:.1f} GB in {found['parts']} parts, killed {found['kills']} times")
        print(f"sealed in {found['seal_s']:.0f} s, opened in {found['open_s']:.0f} s")
        print(f"highest memory above idle: {found['peak_above_idle_bytes'] / 1e6:.0f} MB (aim: at most 96)")
        print("opened to the same bytes" if found["same"] else "NOT the same bytes")
        sys.exit(0 if found["same"] and found["kills"] == asked.kills else 1)


if __name__ == "__main__":
    main()
