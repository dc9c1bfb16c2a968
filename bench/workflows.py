"""Steps per second of the Workflows interpreter, beside PyPI's `workflows-emulator` in the same run.

    python bench/workflows.py [--peer PYTHON]

PYTHON is an interpreter whose environment has `workflows-emulator` (1.10.0); without it only our own
numbers are shown, and that is said. Three sources, the same for both: an assign loop, a subworkflow that
calls itself, a parallel `for` with http to a server on the loopback. Each number is the best of three.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from localcloud.workflows import MemoryJournal, compile_source, run  # noqa: E402
from localcloud.workflows.local_host import LocalHost  # noqa: E402

ASSIGN = """
main:
  params: [n]
  steps:
    - init: {assign: [{sum: 0}]}
    - loop:
        for:
          value: v
          range: '${[1, n]}'
          steps:
            - add: {assign: [{sum: '${sum + v}'}]}
    - out: {return: '${sum}'}
"""

RECURSION = """
main:
  params: [n]
  steps:
    - init: {assign: [{last: 0}]}
    - loop:
        for:
          value: v
          range: '${[1, n]}'
          steps:
            - go: {call: down, args: {depth: 15}, result: last}
    - out: {return: '${last}'}
down:
  params: [depth]
  steps:
    - bottom: {switch: [{condition: '${depth <= 1}', return: 1}]}
    - deeper: {call: down, args: {depth: '${depth - 1}'}, result: below}
    - out: {return: '${below + 1}'}
"""

PARALLEL = """
main:
  params: [n, url]
  steps:
    - init: {assign: [{done: 0}]}
    - all:
        parallel:
          shared: [done]
          for:
            value: v
            range: '${[1, n]}'
            steps:
              - ask: {call: http.get, args: {url: '${url}'}, result: answer}
              - count: {assign: [{done: '${done + answer.body.one}'}]}
    - out: {return: '${done}'}
"""

# Times the peer within its own process; ours takes one argument, the peer one for each parameter.
PEER = """
import copy, json, logging, sys, time, yaml
logging.disable(logging.CRITICAL)
from workflows_emulator.main import execute_workflow
job = json.load(sys.stdin)
config = yaml.safe_load(job["text"])
best = None
for _ in range(3):
    fresh = copy.deepcopy(config)
    start = time.perf_counter()
    value = execute_workflow(fresh, job["params"])
    took = time.perf_counter() - start
    best = took if best is None else min(best, took)
    assert value == job["expected"], value
print(best)
"""


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet; in two, the second waits for the client's delayed acknowledgement.
    wbufsize = 65_536

    def do_GET(self) -> None:
        body = b'{"one": 1}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


class _Listener(ThreadingHTTPServer):
    # Twenty connect at once; with the usual five in the queue one of them waits a second to try again.
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def served() -> Iterator[str]:
    """The address of the server, which runs in a process of its own for both."""
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None  # noqa: S101
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def serve() -> None:
    """Answer until killed; the address is the first line printed."""
    server = _Listener(("127.0.0.1", 0), _Server)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


def ours(text: str, params: dict[str, Any], expected: Any) -> float:
    """The best time of three runs, compiling included."""
    # Main takes one parameter; more of them are keys of it.
    single = list(params) == ["n"]
    source = text if single else text.replace("params: [n, url]", "params: [a]", 1)
    for name in [] if single else params:
        source = source.replace(f"[1, {name}]", f"[1, a.{name}]").replace(f"${{{name}}}", f"${{a.{name}}}")
    argument = params["n"] if single else params
    return min(_timed(lambda: _run(source, argument), expected) for _ in range(3))


def _run(source: str, argument: Any) -> Any:
    return run(compile_source(source), argument, LocalHost("bench", {}), MemoryJournal())


def _timed(work: Callable[[], Any], expected: Any) -> float:
    start = time.perf_counter()
    value = work()
    took = time.perf_counter() - start
    assert value == expected, value  # noqa: S101
    return took


def peer(python: str, text: str, params: dict[str, Any], expected: Any) -> float:
    """The best time of three runs of the peer, without its start and the reading of the YAML."""
    job = json.dumps({"text": text, "params": params, "expected": expected})
    done = subprocess.run(
        [python, "-c", PEER], input=job, capture_output=True, text=True, timeout=300, check=True
    )
    return float(done.stdout)


def has_peer(python: str) -> bool:
    done = subprocess.run([python, "-c", "import workflows_emulator.main"], capture_output=True, check=False)
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--peer", default=sys.executable, help="an interpreter with workflows-emulator")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
    python = given.peer
    with_peer = has_peer(python)
    if not with_peer:
        print(f"workflows-emulator is not installed for {python}: our numbers only (see --peer)")
    print(f"{'':28}{'ours, steps/s':>16}{'peer, steps/s':>16}{'ratio':>8}")
    with served() as url:
        # name, source, steps of one turn, (turns, result) for us and for the slower peer
        table = [
            ("assign loop", ASSIGN, 1, 50_000, 1_000, {}),
            ("subworkflow recursion", RECURSION, 1 + 14 * 3 + 1, 1_000, 20, {}),
            ("parallel for with http", PARALLEL, 2, 400, 400, {"url": url}),
        ]
        for name, text, steps, our_turns, peer_turns, more in table:
            our_rate = steps * our_turns / ours(text, {"n": our_turns, **more}, _expected(name, our_turns))
            line = f"{name:28}{our_rate:>16,.0f}"
            if with_peer:
                took = peer(python, text, {"n": peer_turns, **more}, _expected(name, peer_turns))
                peer_rate = steps * peer_turns / took
                line += f"{peer_rate:>16,.0f}{our_rate / peer_rate:>8.1f}"
            print(line)


def _expected(name: str, turns: int) -> int:
    return {"assign loop": turns * (turns + 1) // 2, "subworkflow recursion": 15}.get(name, turns)


if __name__ == "__main__":
    main()
