"""`python -m localcloud up --state DIR [--port N] [--ready-file FILE]`: the stand-in, until told to stop.

Exit 0 when told to; 1 when a server broke, with the reason on standard error.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import threading
from pathlib import Path

from localcloud.stand_in import build

_OPEN_FILES = 8192  # both servers full, each function's and machine's own, and objects that are being read


def main() -> None:
    """Start, say where, wait for SIGINT or SIGTERM, stop in good order."""
    parser = argparse.ArgumentParser(prog="localcloud")
    parser.add_argument("verb", choices=["up"])
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the state")
    parser.add_argument("--port", type=int, default=0, help="port of the APIs (default: any free one)")
    parser.add_argument("--ready-file", type=Path, help="written with the addresses once ready")
    arguments = parser.parse_args()
    _allow_open_files()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server, cloud = build(arguments.state, arguments.port)
    server.start(stop.set)
    ready = json.dumps({"endpoint": cloud.endpoint, "front": cloud.front, "project": cloud.project})
    print(ready, flush=True)
    if arguments.ready_file:
        draft = arguments.ready_file.with_suffix(".draft")
        draft.write_text(ready)
        draft.replace(arguments.ready_file)
    stop.wait()
    server.stop()
    sys.exit(1 if server.broken else 0)


def _allow_open_files() -> None:
    """Raise our own limit, which many systems set at 256 or 1,024, as far as is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
