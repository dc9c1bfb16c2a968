"""The rules of the language as a table: every entry of cases/*.yaml names one and shows it.

An entry has `expr` (with the variables of `let`), `steps` (of main), `source` (routines) or `text`
(as written), and what comes of it: `gives`, `raises` (a tag, or the raised value as `error`) or
`refused` (the rule of the deployment). `http`, `callbacks`, `env` and `arg` say what the world holds;
`sent`, `logs` and `waits` what it must have met.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.workflows import (
    DeploymentError,
    ExecutionError,
    Limits,
    MemoryJournal,
    compile_source,
    run,
)
from localcloud.workflows.values import encode_json

CASES = Path(__file__).parent / "cases"


def _cases() -> list[Any]:
    found = []
    for file in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(file.read_text(encoding="utf-8")):
            found.append(pytest.param(case, id=f"{file.stem}: {case['rule']}"))
    return found


def _text(case: dict[str, Any]) -> str:
    if "text" in case:
        return str(case["text"])
    if "source" in case:
        return yaml.safe_dump(case["source"], sort_keys=False, width=10_000)
    if "steps" in case:
        main = {"params": ["args"], "steps": case["steps"]}
        return yaml.safe_dump({"main": main}, sort_keys=False, width=10_000)
    let = [{name: value} for name, value in case.get("let", {}).items()]
    first = [{"let": {"assign": let}}] if let else []
    steps = [*first, {"out": {"return": "${" + case["expr"] + "}"}}]
    return yaml.safe_dump({"main": {"steps": steps}}, sort_keys=False, width=10_000)


@pytest.mark.parametrize("case", _cases())
def test_rule(case: dict[str, Any], make_host: Any) -> None:
    """The language does what the rule of the entry says."""
    if "refused" in case:
        with pytest.raises(DeploymentError) as refused:
            compile_source(_text(case))
        assert case["refused"] in {refusal.rule for refusal in refused.value.refusals}
        return
    host = make_host(
        responses=list(case.get("http", [])),
        callbacks=list(case.get("callbacks", [])),
        variables=case.get("env", {}),
    )
    start = host.clock
    program = compile_source(_text(case))
    limits = Limits(**case.get("limits", {}))
    if "gives" in case:
        value = run(program, case.get("arg"), host, MemoryJournal(), limits)
        assert encode_json(value) == encode_json(case["gives"])
    else:
        with pytest.raises(ExecutionError) as failed:
            run(program, case.get("arg"), host, MemoryJournal(), limits)
        _check_error(case, failed.value)
    _check_world(case, host, start)


def _check_error(case: dict[str, Any], error: ExecutionError) -> None:
    if "error" in case:
        assert error.value == case["error"]
    if "raises" in case:
        assert isinstance(error.value, dict), error.value
        assert case["raises"] in error.value["tags"]


def _check_world(case: dict[str, Any], host: Any, start: float) -> None:
    for expected, request in zip(case.get("sent", []), host.requests, strict="sent" in case):
        for name, value in expected.items():
            sent = getattr(request, name)
            if name == "query":
                sent = [list(pair) for pair in sent]
            assert (sent.decode() if isinstance(sent, bytes) else sent) == value
    if "logs" in case:
        assert [list(entry) for entry in host.logs] == case["logs"]
    if "waits" in case:
        assert host.clock - start == pytest.approx(case["waits"])


def test_table_is_large_enough_and_every_rule_is_named_once() -> None:
    """The table holds at least 250 entries, each with a name of its own within its file."""
    names = [param.id for param in _cases()]
    assert len(names) >= 250
    assert len(set(names)) == len(names)
