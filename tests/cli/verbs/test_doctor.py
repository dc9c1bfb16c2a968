"""How `sealtrain doctor` tells what it sees."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sealtrain.rules.settings import Settings

from cli.doctor import project
from cli.doctor.line import Line, fail, ok, warn
from cli.verbs import doctor as verb

SETTINGS = Settings(
    project="demo-project", project_number="1", region="us-central1", endpoint="http://127.0.0.1:1"
)


@pytest.fixture
def told_so_far(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What stood on the terminal when each of three checks began."""
    seen: list[str] = []

    def check(*_: object) -> Iterator[Line]:
        lines = (ok("project", "there"), warn("billing", "unseen", "look"), fail("image", "old", "renew"))
        for line in lines:
            seen.append(capsys.readouterr().out)
            yield line

    monkeypatch.setattr(verb.place, "find", lambda *_: SETTINGS)
    monkeypatch.setattr(project, "check", check)
    return seen


def test_a_line_is_told_before_the_next_check_begins(
    told_so_far: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits before an empty terminal; the last lines count, and a fail is exit 1."""
    assert verb.doctor(after=False, as_json=False) == 1
    assert told_so_far == ["", "ok    project: there\n", "warn  billing: unseen\n      do: look\n"]
    assert capsys.readouterr().out == "fail  image: old\n      do: renew\n\n1 ok, 1 warn, 1 fail\n"


def test_for_a_program_it_is_one_document(
    told_so_far: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json nothing comes before it."""
    assert verb.doctor(after=False, as_json=True) == 1
    assert told_so_far == ["", "", ""]
    document = json.loads(capsys.readouterr().out)
    assert not document["ok"]
    assert [line["state"] for line in document["lines"]] == ["ok", "warn", "fail"]
