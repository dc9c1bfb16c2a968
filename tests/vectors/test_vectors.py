"""Every case under tests/data/vectors gets its expected verdict; the runner tells what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.__main__ import BROKEN, FALSE_ACCEPT, FALSE_REFUSAL, NOT_CHECKED, RIGHT, main, run
from tests.vectors.manifest import Case, read

MANIFEST = Path(__file__).parents[1] / "data" / "vectors" / "manifest.json"
CASES = read(MANIFEST)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_gets_its_expected_verdict(case: Case) -> None:
    """No false accept and no false refusal."""
    outcome, got, remark = run(case)
    assert outcome == RIGHT, (got, remark)


def changed(tmp_path: Path, **changes: Any) -> Path:
    """A manifest with the first good token's case, changed."""
    document = json.loads(MANIFEST.read_bytes())
    [case] = [one for one in document["cases"] if one["id"] == "jwt-good"]
    for name in case["files"].values():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((MANIFEST.parent / name).read_bytes())
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"files": document["files"], "cases": [{**case, **changes}]}))
    return path


@pytest.mark.parametrize(
    ("changes", "outcome", "code"),
    [
        ({}, RIGHT, 0),
        ({"expected": {"verdict": "reject"}}, FALSE_ACCEPT, 1),
        ({"policy": {"issuer": "other", "audience": "a", "nonce": "n"}}, FALSE_REFUSAL, 1),
        ({"policy": {"unheard_of": 1}}, BROKEN, 1),
        ({"files": {"token": "../good.jwt", "jwks": "jwt/jwks.json"}}, BROKEN, 1),
        ({"files": {"token": "jwt/jwks.json"}}, BROKEN, 1),
        ({"format": "sev-snp-report"}, NOT_CHECKED, 0),
    ],
    ids=["good", "accepted", "refused", "policy", "outside", "no keys", "other format"],
)
def test_what_differs_is_told_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], outcome: str, code: int
) -> None:
    """A verdict that differs, or a case that cannot be run, is counted and gives exit code 1."""
    assert main([str(changed(tmp_path, **changes))]) == code
    assert f"1 {outcome}" in capsys.readouterr().out.splitlines()[-1]


def test_a_file_that_is_not_the_listed_one_breaks_its_case(tmp_path: Path) -> None:
    """A changed file is neither accepted nor refused: the case did not run."""
    path = changed(tmp_path)
    token = tmp_path / "jwt" / "good.jwt"
    token.write_bytes(token.read_bytes() + b" ")
    assert main([str(path)]) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": [{}]}'])
def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    """Exit code 2 for what is no manifest."""
    path = tmp_path / "manifest.json"
    path.write_text(text)
    assert main([str(path)]) == 2
    assert main([]) == 2
