"""Google's public samples: each passes `check`, unless it uses what is not here or is itself at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.workflows import DeploymentError, MemoryJournal, compile_source, run
from localcloud.workflows.values import encode_json

SAMPLES = Path(__file__).parent / "samples"
TABLE = yaml.safe_load((SAMPLES / "table.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", TABLE, ids=lambda sample: sample["file"])
def test_sample(sample: dict[str, Any], make_host: Any) -> None:
    """The sample compiles, or is refused by just the rules of the table; what it returns is as told."""
    text = (SAMPLES / sample["file"]).read_text(encoding="utf-8")
    if "refused" in sample:
        with pytest.raises(DeploymentError) as refused:
            compile_source(text)
        assert {refusal.rule for refusal in refused.value.refusals} == set(sample["refused"])
        return
    program = compile_source(text)
    if "gives" in sample:
        host = make_host(
            responses=sample.get("http", []),
            callbacks=sample.get("callbacks", []),
            variables=sample.get("env", {}),
        )
        value = run(program, sample.get("arg"), host, MemoryJournal())
        assert encode_json(value) == encode_json(sample["gives"])


def test_every_sample_is_in_the_table() -> None:
    """No file is left out of the table, none stands twice."""
    files = sorted(path.name for path in SAMPLES.glob("*.*") if path.suffix in (".yaml", ".json"))
    assert sorted([sample["file"] for sample in TABLE] + ["table.yaml"]) == files
