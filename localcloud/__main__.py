"""`python -m localcloud up --state DIR [--port N] [--ready-file FILE]`: the stand-in, until told to stop."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from localcloud.stand_in import build


def main() -> None:
    """Start, say where, wait for SIGINT or SIGTERM, stop in good order."""
    parser = argparse.ArgumentParser(prog="localcloud")
    parser.add_argument("verb", choices=["up"])
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the state")
    parser.add_argument("--port", type=int, default=0, help="port of the APIs (default: any free one)")
    parser.add_argument("--ready-file", type=Path, help="written with the addresses once ready")
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server, cloud = build(arguments.state, arguments.port)
    server.start()
    ready = json.dumps({"endpoint": cloud.endpoint, "front": cloud.front, "project": cloud.project})
    print(ready, flush=True)
    if arguments.ready_file:
        draft = arguments.ready_file.with_suffix(".draft")
        draft.write_text(ready)
        draft.replace(arguments.ready_file)
    stop.wait()
    server.stop()


if __name__ == "__main__":
    main()
