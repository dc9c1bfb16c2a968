"""MB/s sealing and opening through the whole path to loopback storage, beside bare Tink on the same bytes.

    python bench/sealing.py [--mb 256] [--rounds 3]

- Sealing: an object in storage is hashed, read again, sealed and written back as an object, as `seal_dataset`
  does. Opening: that object is read, opened, compared and written to a file, as the workload does.
- Bare: Tink alone, the same bytes from memory to memory (sealing) or into nothing (opening), segments and
  key as ours. The digests alone: the SHA-256 of both sides that order and receipt are made of, one after the
  other; whatever states digests pays that much.
- The storage is bench/lean_storage.py, a process of its own on the same cores, which computes CRC32C only;
  "through the stand-in" is the same path with its storage, which computes MD5 and SHA-256 as well. Storage
  alone: the same bytes written and read, nothing sealed.

Every round measures all of them, one after the other; medians count. Aim: 0.6 of bare. Beside the rates
stands the CPU time that a GiB takes, of this process and the storage's: on a busy machine the one to trust.
Memory for 10 GB: bench/large_dataset.py.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from sealtrain.rules.job import SourceObject  # noqa: E402
from sealtrain.sealing import Part, Reader, new_data_key, open_file  # noqa: E402
from sealtrain.sealing.buckets import BucketVault, ObjectSource  # noqa: E402
from sealtrain.sealing.session import Finished, Session  # noqa: E402

from bench import lean_storage  # noqa: E402
from bench.sealing_place import BUCKET, rooms, started  # noqa: E402
from tests.functions.sealing.vault import Keys  # noqa: E402

_CHUNK = 1 << 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=256, help="size of the data, in 2^20 bytes")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    data = os.urandom(asked.mb << 20)
    with (
        tempfile.TemporaryDirectory() as folder,
        lean_storage.started() as lean,
        started(Path(folder, "state")) as stand_in,
    ):
        file = Path(folder, "opened")
        rounds = [one_round(lean, stand_in, data, file, number) for number in range(asked.rounds)]
    print(f"{asked.mb} MiB, medians of {asked.rounds} rounds; load {os.getloadavg()[0]:.1f}")
    print(f"  {'':30} {'MB/s':>6} {'CPU s/GiB':>10}")
    seconds = {what: median(each[what].seconds for each in rounds) for what in rounds[0]}
    for what, took in seconds.items():
        cpu_s = median(each[what].cpu_s for each in rounds) * 1024 / asked.mb
        print(f"  {what:30} {len(data) / took / 1e6:6.0f} {cpu_s:10.2f}")
    for verb in ("seal", "open"):
        bare, path = seconds[f"Tink alone, {verb}"], seconds[f"whole path, {verb}"]
        floor = bare + seconds["digests alone, both sides"]
        print(f"{verb}: {bare / path:.2f} of bare Tink (aim 0.6), {floor / path:.2f} of Tink and the digests")


class Taken(NamedTuple):
    """What something took."""

    seconds: float
    cpu_s: float


def one_round(lean: str, stand_in: str, data: bytes, file: Path, number: int) -> dict[str, Taken]:
    """What each thing measured took."""
    taken: dict[str, Taken] = {}
    storage = Road(rooms(lean)[0], data, number)
    taken["storage alone, write"], _ = timed(storage.upload)
    taken["storage alone, read"], _ = timed(storage.download)
    taken["whole path, seal"], sealed = timed(storage.seal)
    taken["whole path, open"], _ = timed(lambda: storage.open_into(sealed, file))
    taken["Tink alone, seal"], text = timed(lambda: bare_seal(data))
    taken["Tink alone, open"], _ = timed(lambda: bare_open(text))
    taken["digests alone, both sides"], _ = timed(lambda: [hashlib.sha256(x) for x in (data, text)])
    slow = Road(rooms(stand_in)[0], data, number)
    slow.upload()
    taken["through the stand-in, seal"], sealed = timed(slow.seal)
    taken["through the stand-in, open"], _ = timed(lambda: slow.open_into(sealed, file))
    return taken


class Road:
    """The whole path to a storage and back, for one object."""

    def __init__(self, storage: Any, data: bytes, number: int) -> None:
        self._storage, self._data, self._notes = storage, data, f"sealing-{number}/"
        self._source = SourceObject(f"source-{number}", "data.bin", "", len(data), "")

    def upload(self) -> None:
        """Write the plain object."""
        with self._storage.open_writer(BUCKET, self._source.name) as writer:
            for start in range(0, len(self._data), _CHUNK):
                writer.write(self._data[start : start + _CHUNK])

    def download(self) -> None:
        """Read it."""
        reader = self._storage.open_reader(BUCKET, self._source.name)
        while reader.read(_CHUNK):
            pass

    def seal(self) -> Finished:
        """Seal it; the key that is kept meanwhile is wrapped by nobody."""
        vault = BucketVault(BUCKET, self._notes, self._storage)
        source = ObjectSource(BUCKET, self._source, self._storage)
        found = Session([source], vault, Keys(), prefix="data/").advance(lambda: True)
        if found is None:
            raise AssertionError("there was time")
        return found

    def open_into(self, sealed: Finished, file: Path) -> None:
        """Open the one file."""

        @contextmanager
        def fetch(part: Part) -> Iterator[Reader]:
            yield self._storage.open_reader(BUCKET, part.object)

        with file.open("w+b") as out:
            open_file(sealed, sealed.files[0], fetch, out, sealed.key)
        file.unlink()


class _Kept(io.BytesIO):
    """Tink closes what it writes to."""

    def close(self) -> None:
        """Stay."""


def bare_seal(data: bytes) -> bytes:
    """Tink from memory to memory."""
    out = _Kept()
    stream = _KEY.primitive().new_encrypting_stream(out, b"place")
    for start in range(0, len(data), _CHUNK):
        stream.write(data[start : start + _CHUNK])
    stream.close()
    return out.getvalue()


def bare_open(text: bytes) -> None:
    """Tink from memory to nothing."""
    stream = _KEY.primitive().new_decrypting_stream(io.BytesIO(text), b"place")
    while stream.read(_CHUNK):
        pass


def timed(action: Callable[[], Any]) -> tuple[Taken, Any]:
    """What an action took, in this process and its children, and what it gave."""
    began, before = time.perf_counter(), cpu_s()
    given = action()
    return Taken(time.perf_counter() - began, cpu_s() - before), given


def cpu_s() -> float:
    """Seconds of CPU time of this process and its children."""
    own = psutil.Process()
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)


_KEY = new_data_key()


if __name__ == "__main__":
    main()
