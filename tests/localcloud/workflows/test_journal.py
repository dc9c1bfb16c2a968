"""An execution killed at any effect goes on from its journal to the same end."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

import pytest

from localcloud.workflows import (
    ExecutionError,
    HttpRequest,
    HttpResponse,
    JournalMismatchError,
    MemoryJournal,
    compile_source,
    run,
)
from localcloud.workflows.journal import entry_for, recorded

STORY = """
main:
  params: [args]
  steps:
    - init:
        assign:
          - id: ${uuid.generate()}
          - at: ${sys.now()}
          - tried: 0
    - ask:
        try:
          call: http.post
          args: {url: "http://a.test/ask", body: {id: "${id}"}}
          result: answer
        retry: {predicate: "${http.default_retry_predicate}", max_retries: 3}
    - fetch:
        call: http.get
        args: {url: "http://a.test/bytes"}
        result: octets
    - fail:
        try: {call: http.get, args: {url: "http://a.test/missing"}}
        except:
          as: e
          steps: [{note: {assign: [{code: "${e.code}"}]}}]
    - nap: {call: sys.sleep, args: {seconds: 3600}}
    - say: {call: sys.log, args: {text: slept}}
    - made: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: callback}
    - came: {call: events.await_callback, args: {callback: "${callback}", timeout: 600}, result: event}
    - many:
        try:
          call: events.await_callback
          args: {callback: "${callback}", timeout: 60}
        except:
          as: e
          steps: [{late: {assign: [{tags: "${e.tags}"}]}}]
    - out:
        return:
          id: ${id}
          at: ${at}
          answer: ${answer.body}
          octets: ${base64.encode(octets.body)}
          code: ${code}
          end: ${sys.now()}
          event: ${event.http_request.body}
"""
STORY = STORY.replace("          - tried: 0\n", "          - code: 0\n          - tags: []\n")

RACE = """
main:
  steps:
    - init: {assign: [{first: null}, {log: []}]}
    - race:
        parallel:
          shared: [first, log]
          for:
            value: name
            in: [a, b, c, d]
            steps:
              - knock: {call: http.get, args: {url: '${"http://a.test/knock/" + name}'}}
              - claim: {assign: [{first: "${if(first == null, name, first)}"}]}
              - which:
                  switch:
                    - condition: ${first == name}
                      steps: [{won: {call: http.get, args: {url: '${"http://a.test/won/" + name}'}}}]
                    - condition: true
                      steps: [{lost: {call: http.get, args: {url: '${"http://a.test/lost/" + name}'}}}]
              - note: {assign: [{log: "${list.concat(log, name)}"}]}
    - out: {return: {first: "${first}", log: "${log}"}}
"""


class Killed(BaseException):
    """The process dies here."""


class DyingJournal(MemoryJournal):
    """A journal in a process that dies before or after its n-th record."""

    def __init__(self, entries: dict[str, Any], at: int, recorded: bool) -> None:
        super().__init__(entries)
        self._left = at
        self._recorded = recorded
        self._lock = threading.Lock()
        self.dead = False

    def put(self, key: str, value: dict[str, Any]) -> None:
        with self._lock:
            if self.dead:
                raise Killed
            self._left -= 1
            if self._left < 0 and not self._recorded:
                self.dead = True
                raise Killed
            super().put(key, value)
            if self._left < 0:
                self.dead = True
                raise Killed


def _answer(request: HttpRequest) -> HttpResponse:
    path = request.url.removeprefix("http://a.test")
    if path == "/missing":
        return HttpResponse(404, {"content-type": "application/json"}, b'{"why": "gone"}')
    if path == "/bytes":
        return HttpResponse(200, {"content-type": "application/octet-stream"}, b"\x00\xff")
    return HttpResponse(200, {"content-type": "application/json"}, b'{"path": "%s"}' % path.encode())


def _host(make_host: Any) -> Any:
    return make_host(answer=_answer, callbacks=[{"after": 30, "body": {"ok": True}}])


def _kill_points(text: str, make_host: Any) -> int:
    journal = MemoryJournal()
    run(compile_source(text), None, _host(make_host), journal)
    return len(journal.entries)


@pytest.mark.parametrize("recorded", [False, True], ids=["before the record", "after the record"])
def test_killed_at_each_record_the_story_ends_the_same(make_host: Any, recorded: bool) -> None:
    """Whichever record the process dies at, the next run ends as an unharmed one."""
    program = compile_source(STORY)
    expected = run(program, None, _host(make_host), MemoryJournal())
    points = _kill_points(STORY, make_host)
    assert points >= 12
    for at in range(points):
        host, entries = _host(make_host), {}
        with pytest.raises(Killed):
            run(program, None, host, DyingJournal(entries, at, recorded))
        lost_callback = (
            not recorded
            and not host.callbacks
            and "events.await_callback" not in {entry["call"] for entry in entries.values()}
        )
        if lost_callback:
            # The host keeps a callback until its receipt is recorded; this one gives it out again.
            host.callbacks = [{"after": 0, "body": {"ok": True}}]
        result = run(program, None, host, MemoryJournal(entries))
        assert result.keys() == expected.keys()
        for name in ("answer", "octets", "code", "event"):
            assert result[name] == expected[name]


def test_a_whole_replay_asks_the_host_for_nothing(make_host: Any) -> None:
    """With a complete journal no request, callback, log or clock reading is repeated."""
    program, journal = compile_source(STORY), MemoryJournal()
    expected = run(program, None, _host(make_host), journal)
    silent = make_host()
    assert run(program, None, silent, journal) == expected
    assert (silent.requests, silent.logs, silent.created, silent.uuids) == ([], [], 0, 0)


def test_an_effect_is_repeated_only_when_its_record_is_missing(make_host: Any) -> None:
    """Killed after the third record, the requests before are not sent again."""
    program, host, entries = compile_source(STORY), _host(make_host), {}
    with pytest.raises(Killed):
        run(program, None, host, DyingJournal(entries, 2, True))
    run(program, None, host, MemoryJournal(entries))
    asked = [request.url for request in host.requests if request.url.endswith("/ask")]
    assert len(asked) == 1


def test_a_restart_waits_only_for_what_is_left(make_host: Any) -> None:
    """The end of a sleep is recorded when it begins."""
    program = compile_source(
        "- nap: {call: sys.sleep, args: {seconds: 100}}\n- out: {return: '${sys.now()}'}\n"
    )
    host, entries = make_host(), {}
    with pytest.raises(Killed):
        run(program, None, host, DyingJournal(entries, 0, True))
    host.clock += 60
    assert run(program, None, host, MemoryJournal(entries)) == 1_000_100.0


@pytest.mark.parametrize("recorded", [False, True], ids=["before the record", "after the record"])
def test_killed_in_a_race_the_replay_has_the_same_winner(make_host: Any, recorded: bool) -> None:
    """Branches that race for a shared variable find it after the restart as they left it."""
    program = compile_source(RACE)
    for at in range(_kill_points(RACE, make_host)):
        host, entries = _host(make_host), {}
        with suppress(Killed):
            run(program, None, host, DyingJournal(entries, at, recorded))
        result = run(program, None, host, MemoryJournal(entries))
        won = {request.url[-1] for request in host.requests if "/won/" in request.url}
        assert won == {result["first"]}
        assert sorted(result["log"]) == ["a", "b", "c", "d"]


def test_a_replayed_race_gives_the_very_same_result(make_host: Any) -> None:
    """The order in which branches wrote is the journal's, however the threads run now."""
    program, journal = compile_source(RACE), MemoryJournal()
    first = run(program, None, _host(make_host), journal)
    for _ in range(20):
        assert run(program, None, make_host(), MemoryJournal(dict(journal.entries))) == first


def test_an_error_is_replayed_as_an_error(make_host: Any) -> None:
    """A failed request fails again from the journal, with the same value."""
    program, journal = (
        compile_source("- a: {call: http.get, args: {url: 'http://a.test/missing'}}\n"),
        MemoryJournal(),
    )
    with pytest.raises(ExecutionError) as first:
        run(program, None, _host(make_host), journal)
    with pytest.raises(ExecutionError) as second:
        run(program, None, make_host(), journal)
    assert first.value.value == second.value.value


def test_the_journal_of_another_source_is_refused(make_host: Any) -> None:
    """A record of another call under the same key does not pass for the result."""
    journal = MemoryJournal()
    run(compile_source("- a: {return: '${sys.now()}'}\n"), None, make_host(), journal)
    with pytest.raises(JournalMismatchError, match=r"sys\.now"):
        run(compile_source("- a: {return: '${uuid.generate()}'}\n"), None, make_host(), journal)


def test_a_replay_makes_branches_wait_for_the_recorded_order(make_host: Any) -> None:
    """The last branch won the race; in the replay, where the first is ahead, it wins again."""
    passed = {name: threading.Event() for name in "abcd"}
    after = dict(zip("abc", "bcd", strict=True))

    def answer(request: HttpRequest) -> HttpResponse:
        name = request.url[-1]
        if "/knock/" not in request.url:
            passed[name].set()
        elif name in after:
            assert passed[after[name]].wait(10)
        return _answer(request)

    program, journal = compile_source(RACE), MemoryJournal()
    first = run(program, None, make_host(answer=answer), journal)
    assert first["first"] == "d"
    assert run(program, None, make_host(), MemoryJournal(dict(journal.entries))) == first


def test_a_branch_that_waits_for_its_turn_ends_when_another_dies(make_host: Any) -> None:
    """A replay whose next recorded turn never comes does not hang."""
    program, journal = compile_source(RACE), MemoryJournal()
    run(program, None, _host(make_host), journal)
    last = max(key.rpartition("/")[0] for key in journal.entries if "/" in key)
    kept = {key: entry for key, entry in journal.entries.items() if not key.startswith(last + "/")}
    turns = [key for key in kept if "!" in key]
    # The last branch had the first turn, says this journal; but that branch dies before it.
    kept[min(turns)] = entry_for("turn", "value", f"{last}/1")
    others_wait = threading.Event()

    class WatchedHost(make_host):  # type: ignore[misc]
        checks = 0

        def check_cancelled(self) -> None:
            # Four branches look once for their request; a fifth look comes from one that waits.
            self.checks += 1
            if self.checks > 4:
                others_wait.set()

    def die(request: HttpRequest) -> HttpResponse:
        assert others_wait.wait(10)
        raise Killed

    with pytest.raises(Killed):
        run(program, None, WatchedHost(answer=die), MemoryJournal(kept))


def test_bytes_within_a_list_survive_the_journal(make_host: Any) -> None:
    """A recorded value with bytes deep inside comes back as it was."""
    entry = entry_for("call", "value", {"list": [b"\x00", {"a": 1}], "plain": [1]})
    assert recorded(json.loads(json.dumps(entry)), "value") == {"list": [b"\x00", {"a": 1}], "plain": [1]}
