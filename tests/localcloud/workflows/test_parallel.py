"""Branches in threads: how many at once, what they share, how they end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from localcloud.workflows import (
    Cancelled,
    ExecutionError,
    HttpRequest,
    HttpResponse,
    MemoryJournal,
    compile_source,
    run,
)

CALLS = """
main:
  params: [args]
  steps:
    - init: {assign: [{done: 0}]}
    - all:
        parallel:
          shared: [done]
          concurrency_limit: ${args.limit}
          for:
            value: v
            range: [1, "${args.count}"]
            steps:
              - ask: {call: http.get, args: {url: '${"http://a.test/" + v}'}}
              - count: {assign: [{done: "${done + 1}"}]}
    - out: {return: "${done}"}
"""


class Gate:
    """Answers only when so many requests are in flight at once; counts the most there were."""

    def __init__(self, at_once: int) -> None:
        self._barrier = threading.Barrier(at_once)
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0

    def __call__(self, _: HttpRequest) -> HttpResponse:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._barrier.wait(timeout=10)
        with self._lock:
            self._inside -= 1
        return HttpResponse(200, {}, b"")


def _open_host(make_host: Any, gate: Any) -> Any:
    class OpenHost(make_host):  # type: ignore[misc]
        def http(self, request: HttpRequest) -> HttpResponse:
            return gate(request)  # type: ignore[no-any-return]

    return OpenHost()


@pytest.mark.parametrize(("limit", "width"), [(3, 3), (100, 20)])
def test_so_many_branches_run_at_once_as_the_limit_says(make_host: Any, limit: int, width: int) -> None:
    """The concurrency limit holds, and the platform's 20 where it is higher."""
    gate = Gate(width)
    argument = {"limit": limit, "count": width * 2}
    result = run(compile_source(CALLS), argument, _open_host(make_host, gate), MemoryJournal())
    assert result == width * 2
    assert gate.most == width


def test_a_read_and_write_in_one_assignment_is_atomic(execute: Any) -> None:
    """A thousand increments from twenty threads are all counted."""
    text = """
    - init: {assign: [{n: 0}]}
    - all:
        parallel:
          shared: [n]
          for: {value: v, range: [1, 1000], steps: [{add: {assign: [{n: "${n + 1}"}]}}]}
    - out: {return: "${n}"}
    """
    assert execute(text) == 1000


def test_a_cancelled_execution_ends_every_branch(make_host: Any) -> None:
    """Cancelled leaves the parallel step although branches collect errors."""
    host = make_host()

    def cancel(request: HttpRequest) -> HttpResponse:
        host.cancelled = True
        return HttpResponse(200, {}, b"")

    host.answer = cancel
    with pytest.raises(Cancelled):
        run(compile_source(CALLS), {"limit": 2, "count": 50}, host, MemoryJournal())
    assert len(host.requests) < 50


def test_no_except_sees_a_cancellation(make_host: Any) -> None:
    """Cancelled passes through try."""
    host = make_host(cancelled=True)
    text = "- a: {try: {call: sys.sleep, args: {seconds: 1}}, except: {as: e, return: caught}}\n"
    with pytest.raises(Cancelled):
        run(compile_source(text), None, host, MemoryJournal())


def test_a_loop_without_effects_can_be_cancelled(make_host: Any) -> None:
    """Steps that ask the host for nothing still look whether to stop."""
    text = "- a: {assign: [{x: 1}], next: b}\n- b: {next: a}\n"
    with pytest.raises(Cancelled):
        run(compile_source(text), None, make_host(cancelled=True), MemoryJournal())


def test_at_most_a_hundred_failed_branches_are_told(execute: Any) -> None:
    """The error is cut after a hundred branches and says so."""
    text = "- a: {parallel: {for: {value: v, range: [1, 150], steps: [{b: {raise: x}}]}}}\n"
    with pytest.raises(ExecutionError) as failed:
        execute(text)
    assert len(failed.value.value["branches"]) == 100
    assert failed.value.value["truncated"] is True


def test_one_program_runs_many_times_at_once(make_host: Any) -> None:
    """A compiled program keeps nothing of an execution."""
    program = compile_source("main:\n  params: [n]\n  steps:\n    - out: {return: '${n * 2}'}\n")
    results: dict[int, Any] = {}

    def work(number: int) -> None:
        results[number] = run(program, number, make_host(), MemoryJournal())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == {number: number * 2 for number in range(16)}
