"""MB/s sealing and opening through the whole path to loopback storage, beside bare Tink on the same bytes.

    python bench/sealing.py [--mb 256] [--rounds 3]

- Sealing: an object in storage is hashed, read again, sealed and written back as an object, as `seal_dataset`
  does. Opening: that object is read, opened, compared and written to a file, as the workload does.
- Bare: Tink alone, the same bytes from memory into nothing, segments and key as ours. The digests alone: the
  SHA-256 of both sides that order and receipt are made of; whatever states digests pays that much.
- Storage alone: the same bytes written to and read from the same storage, nothing sealed.

Every round measures all of them, one after the other; medians count. Aim: 0.6 of bare.
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
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from sealtrain.rules.job import SourceObject  # noqa: E402
from sealtrain.sealing import Part, Reader, new_data_key, open_file  # noqa: E402
from sealtrain.sealing.buckets import BucketVault, ObjectSource  # noqa: E402
from sealtrain.sealing.session import Finished, Session  # noqa: E402

from bench.sealing_place import BUCKET, rooms, started  # noqa: E402

_CHUNK = 1 << 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=256, help="size of the data, in 2^20 bytes")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    data = os.urandom(asked.mb << 20)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder, "state")) as endpoint:
        rounds = [one_round(endpoint, data, Path(folder), number) for number in range(asked.rounds)]
    rates = {what: median(len(data) / each[what] / 1e6 for each in rounds) for what in rounds[0]}
    bare = {"seal": "Tink alone, sealing", "open": "Tink alone, opening"}
    print(f"{asked.mb} MiB, medians of {asked.rounds} rounds")
    for what, rate in rates.items():
        print(f"  {what:34} {rate:8.0f} MB/s")
    for verb, what in bare.items():
        ratio = rates[f"whole path, {verb}"] / rates[what]
        print(f"{verb}: {ratio:.2f} of bare Tink (aim 0.6)")
    print("memory: bench/large_dataset.py")


def one_round(endpoint: str, data: bytes, folder: Path, number: int) -> dict[str, float]:
    """Seconds of each thing measured."""
    storage, keys = rooms(endpoint)
    source = SourceObject(f"source-{number}", "data.bin", "", len(data), "")
    seconds: dict[str, float] = {}

    def upload() -> None:
        with storage.open_writer(BUCKET, source.name) as writer:
            for start in range(0, len(data), _CHUNK):
                writer.write(data[start : start + _CHUNK])

    def download() -> None:
        reader = storage.open_reader(BUCKET, source.name)
        while reader.read(_CHUNK):
            pass

    def seal() -> Finished:
        vault = BucketVault(BUCKET, f"sealing-{number}/", storage)
        session = Session([ObjectSource(BUCKET, source, storage)], vault, keys, prefix="data/")
        found = session.advance(lambda: True)
        if found is None:
            raise AssertionError("there was time")
        return found

    seconds["storage alone, write"] = timed(upload)[0]
    seconds["storage alone, read"] = timed(download)[0]
    seconds["whole path, seal"], sealed = timed(seal)
    seconds["whole path, open"], _ = timed(lambda: open_into(storage, sealed, folder / f"opened-{number}"))
    seconds["Tink alone, sealing"], text = timed(lambda: bare_seal(data))
    seconds["Tink alone, opening"], _ = timed(lambda: bare_open(text))
    seconds["digests alone, both sides"], _ = timed(lambda: [hashlib.sha256(x) for x in (data, text)])
    return seconds


def open_into(storage: Any, sealed: Finished, file: Path) -> None:
    """Open the one file."""

    @contextmanager
    def fetch(part: Part) -> Iterator[Reader]:
        yield storage.open_reader(BUCKET, part.object)

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


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of an action, and what it gave."""
    began = time.perf_counter()
    given = action()
    return time.perf_counter() - began, given


_KEY = new_data_key()


if __name__ == "__main__":
    main()
