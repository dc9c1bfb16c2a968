"""Tests of `rules.job_file`."""

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import RefusedError
from sealtrain.rules.job import Job
from sealtrain.rules.job_file import parse_job

from tests.functions.memory import DIGEST, IMAGE


def refusal(data: bytes) -> RefusedError:
    """The refusal of a job.yaml."""
    with pytest.raises(RefusedError) as caught:
        parse_job(data)
    assert caught.value.code == "bad_job"
    return caught.value


def test_an_empty_job_is_all_defaults() -> None:
    """What is left out has a default."""
    assert parse_job(b"") == parse_job(b"{}") == Job()


def test_a_whole_job_is_read() -> None:
    """Every field can be given."""
    text = f"""
trainer: {IMAGE}
format: files
arguments: {{target: diagnosis, folds: 5, rate: 0.1, shuffle: true, columns: [a, b]}}
tee: required
machine: {{shape: a3-highgpu-1g, mode: flex-start, technology: TDX}}
limits: {{seconds: 600, cost_usd: 2, disk_bytes: 2097152, memory_bytes: 1000}}
dataset: {DIGEST}
"""
    job = parse_job(text.encode())
    assert job.arguments == {
        "target": "diagnosis",
        "folds": 5,
        "rate": 0.1,
        "shuffle": True,
        "columns": ["a", "b"],
    }
    assert job.machine.mode == "flex-start"
    assert job.limits.cost_usd == 2
    assert job.dataset == DIGEST


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"trianer: x", "trianer"),
        (b"machine: {shap: x}", "machine.shap"),
        (b"format: parquet", "format"),
        (b"limits: {seconds: ten}", "limits.seconds"),
        (b"limits: {seconds: 1}", "limits.seconds"),
        (b"limits: {seconds: 99999999}", "limits.seconds"),
        (b"limits: {cost_usd: .nan}", "limits.cost_usd"),
        (b"limits: {cost_usd: -1}", "limits.cost_usd"),
        (b"limits: {attempts: 0}", "limits.attempts"),
        (b"limits: {attempts: 1.5}", "limits.attempts"),
        (b"limits: {attempts: 101}", "limits.attempts"),
        (b"limits: {attempts: 2}\nsource: forget", "limits.attempts"),
        (b"machine: {mode: preemptible}", "machine.mode"),
        (b"tee: maybe", "tee"),
        (b"dataset: latest", "dataset"),
        (b"arguments: {a: {b: 1}}", "arguments[...]"),
        (b"arguments: {a: null}", "arguments[...]"),
        (b"arguments: {a: .inf}", "arguments.'a'"),
        (b"arguments: {a: [1, .nan]}", "arguments.'a'"),
        (b"arguments: {a: 123456789012345678901234567890}", "arguments.'a'"),
        (b'arguments: {a: "\\ud800"}', "arguments.'a'"),
        (b"- a\n- b", "body"),
        (b"just text", "body"),
    ],
)
def test_a_wrong_field_is_named(data: bytes, field: str) -> None:
    """An unknown field, a wrong type or a value out of bounds is refused by name."""
    assert refusal(data).body.field == field


@pytest.mark.parametrize(
    "data",
    [
        b"a: &x [1]\nb: *x",
        b"a: &a [lol]\nb: &b [*a,*a]\nc: &c [*b,*b]",
        b"trainer: !!python/object/apply:os.system ['true']",
        b"trainer: !!python/name:os.system",
        b"!!map {}",
        b"trainer: !custom x",
        b"<<: {trainer: x}",
        b"? [a, b]\n: c",
        b"1: x",
        b"trainer: x\ntrainer: y",
        b"[" * 5000,
        b"{a: " * 5000,
        b"arguments: {" + b", ".join(b"k%d: 1" % n for n in range(3000)) + b"}",
        b"x" * (64 * 1024 + 1),
        b"\xff\xfe",
        b"a: b: c",
        b"trainer: \x00",
        b"--- {}\n--- {}",
        b"trainer: 2026-01-01",
    ],
)
def test_what_is_not_plain_yaml_is_refused(data: bytes) -> None:
    """Aliases, tags, merges, repeated or odd keys, depth, size, encoding: refused, never run."""
    body = refusal(data).body
    assert body.field
    assert body.remedy


@given(st.binary(max_size=200))
def test_any_bytes_give_a_job_or_a_refusal(data: bytes) -> None:
    """Nothing but our one refusal leaves the parser."""
    with contextlib.suppress(RefusedError):
        assert isinstance(parse_job(data), Job)


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=8),
        st.booleans()
        | st.integers(-(2**50), 2**50)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text("abc é", max_size=9),
        max_size=5,
    )
)
def test_arguments_survive_yaml_and_canonical_json(arguments: dict[str, object]) -> None:
    """Whatever arguments are taken can be hashed."""
    job = parse_job(yaml.safe_dump({"arguments": arguments}).encode())
    assert dumps(job)
