"""What may leave the workload as a model, and as metrics."""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from workload import model
from workload.errors import WorkloadError

DATA = Path(__file__).parent / "data"
LIMIT = 1_000_000
TENSORS = save({"w": np.arange(6.0).reshape(2, 3), "b": np.zeros(2, np.float32)}, {"k": "v"})


def safetensors(header: dict[str, Any] | str | bytes, body: bytes = b"") -> bytes:
    text = header if isinstance(header, str | bytes) else json.dumps(header)
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw + body


def tensor(begin: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape or [2], "data_offsets": [begin, end]}


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def npy(array: "np.ndarray[Any, Any]") -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def onnx(*fields: tuple[int, int | bytes]) -> bytes:
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += bytes([number << 3, value])
        else:
            out += bytes([number << 3 | 2, len(value)]) + value
    return out


WEIGHTS = onnx((1, b"\x02"), (2, 1), (8, b"w"), (9, bytes(8)))
ELSEWHERE = onnx((8, b"w"), (13, onnx((1, b"location"), (2, b"/etc/passwd"))), (14, 1))
NODE = onnx((1, b"x"), (2, b"y"), (4, b"Identity"))
GRAPH = onnx((1, NODE), (2, b"graph"), (5, WEIGHTS))


def in_node(field: int, value: bytes) -> bytes:
    """A graph whose one node has an attribute with this field."""
    return onnx((1, onnx((4, b"If"), (5, onnx((1, b"a"), (field, value))))), (2, b"graph"))


def accept(tmp_path: Path, metrics: str | bytes = "{}", **files: bytes) -> Any:
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_bytes(content)
    if metrics:
        raw = metrics.encode() if isinstance(metrics, str) else metrics
        (tmp_path / "metrics.json").write_bytes(raw)
    return model.accept(tmp_path, LIMIT)


def reason(tmp_path: Path, **given: Any) -> str:
    with pytest.raises(WorkloadError) as caught:
        accept(tmp_path, **given)
    return caught.value.reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m__safetensors", TENSORS),
        ("m__safetensors", safetensors({"empty": tensor(0, 0, [0]), "w": tensor(0, 8)}, bytes(8))),
        ("m__onnx", onnx((1, 8), (2, b"maker"), (7, GRAPH), (8, b"opset"))),
        ("m__skops", (DATA / "line_and_tree.skops").read_bytes()),
    ],
    ids=["safetensors", "with an empty tensor", "onnx", "skops with a line and a tree"],
)
def test_models_of_the_allowed_kinds_are_accepted(tmp_path: Path, name: str, content: bytes) -> None:
    """Each allowed kind passes, with its metrics."""
    models, metrics = accept(tmp_path, '{"accuracy": 0.97, "n": 3}', **{name: content})
    assert [path.name for path in models] == [name.replace("__", ".")]
    assert metrics == {"accuracy": 0.97, "n": 3}


def test_several_models_come_sorted(tmp_path: Path) -> None:
    """More than one model may leave, in the order of their names."""
    models, _ = accept(tmp_path, b__safetensors=TENSORS, a__safetensors=TENSORS)
    assert [path.name for path in models] == ["a.safetensors", "b.safetensors"]


def joblib_bytes() -> bytes:
    out = io.BytesIO()
    joblib.dump({"a": np.zeros(3)}, out)
    return out.getvalue()


REFUSED = {
    "a pickle": pickle.dumps({"a": 1}),
    "an old pickle": pickle.dumps({"a": 1}, protocol=0),
    "joblib": joblib_bytes(),
    "empty": b"",
    "too large": bytes(LIMIT + 1),
    "random": b"\x07\x01\x02" * 40,
    "json": b'{"w": [1, 2]}',
    "a zip": zipped(data__pkl=pickle.dumps(1)),
}
SAFETENSORS = {
    "no tensor": safetensors({}),
    "bytes after": TENSORS + b"x",
    "bytes missing": TENSORS[:-1],
    "a hole": safetensors({"a": tensor(0, 8), "b": tensor(16, 24)}, bytes(24)),
    "an overlap": safetensors({"a": tensor(0, 8), "b": tensor(4, 12)}, bytes(12)),
    "another shape": safetensors({"a": tensor(0, 8, [3])}, bytes(8)),
    "a negative shape": safetensors({"a": tensor(0, 8, [-1, -2])}, bytes(8)),
    "an unknown dtype": safetensors({"a": tensor(0, 8, dtype="OBJ")}, bytes(8)),
    "an unknown field": safetensors({"a": tensor(0, 8) | {"x": 1}}, bytes(8)),
    "a name twice": safetensors('{"a":{},"a":{}}'),
    "metadata with a list": safetensors({"__metadata__": {"k": []}, "a": tensor(0, 8)}, bytes(8)),
    "deep nesting": safetensors(b"[" * 200_000),
    "a huge header": struct.pack("<Q", 2**60) + bytes(100),
}
ONNX = {
    "no graph": onnx((1, 8), (2, b"maker")),
    "no version": onnx((7, GRAPH)),
    "an unknown field": onnx((1, 8), (7, GRAPH), (15, b"?")),
    "a length beyond the end": onnx((1, 8), (7, GRAPH))[:-1],
    "an endless number": onnx((1, 8), (7, GRAPH)) + b"\x08" + b"\xff" * 11,
    "a pickle for a graph": onnx((1, 8), (7, pickle.dumps({"a": 1}))),
    "weights in another file": onnx((1, 8), (7, onnx((5, ELSEWHERE)))),
    "a constant in another file": onnx((1, 8), (7, in_node(5, ELSEWHERE))),
    "constants in another file": onnx((1, 8), (7, in_node(10, ELSEWHERE))),
    "a branch's weights in another file": onnx((1, 8), (7, in_node(6, onnx((5, ELSEWHERE))))),
    "sparse weights in another file": onnx((1, 8), (7, onnx((15, onnx((1, ELSEWHERE)))))),
    "a function's constant in another file": onnx(
        (1, 8), (7, GRAPH), (25, onnx((7, onnx((5, onnx((5, ELSEWHERE)))))))
    ),
    "training weights in another file": onnx((1, 8), (7, GRAPH), (20, onnx((1, onnx((5, ELSEWHERE)))))),
}
SKOPS = {
    "no schema": zipped(a__npy=npy(np.zeros(3))),
    "a pickled member": zipped(schema__json=b"{}", a__pkl=pickle.dumps(1)),
    "an array of objects": zipped(schema__json=b"{}", a__npy=npy(np.array([{}], object))),
    "objects in fields": zipped(schema__json=b"{}", a__npy=npy(np.zeros(1, [("i", "<i4"), ("o", object)]))),
    "objects in an npz": zipped(schema__json=b"{}", a__npz=zipped(b__npy=npy(np.array([{}], object)))),
    "a pickle behind an array": zipped(schema__json=b"{}", a__npy=npy(np.zeros(3)) + pickle.dumps(1)),
    "an array that is cut": zipped(schema__json=b"{}", a__npy=npy(np.zeros(3))[:-1]),
    "code": zipped(schema__json=b"{}", a__py=b"print(1)"),
    "something before the zip": b"#!/bin/sh\n" + zipped(schema__json=b"{}"),
    "a torn zip": b"PK\x03\x04" + bytes(60),
}
CASES = [
    *(("safetensors", what, content) for what, content in (REFUSED | SAFETENSORS).items()),
    *(("onnx", what, content) for what, content in (REFUSED | ONNX).items()),
    *(("skops", what, content) for what, content in (REFUSED | SKOPS).items()),
]


@pytest.mark.parametrize(
    ("kind", "content"),
    [(kind, content) for kind, _, content in CASES],
    ids=[f"{kind}: {what}" for kind, what, _ in CASES],
)
def test_what_is_not_such_a_model_is_refused(tmp_path: Path, kind: str, content: bytes) -> None:
    """Bytes that are not what the name says do not leave; a pickle is called one."""
    pickled = content[:1] == b"\x80" and content[1] in range(2, 6)
    expected = "model_pickled" if pickled else "model_refused"
    assert reason(tmp_path, **{f"m__{kind}": content}) == expected


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    """A member that unpacks to a hundred times the file does not get read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", " " * 50_000_000)
    assert reason(tmp_path, m__skops=out.getvalue()) == "model_refused"


@pytest.mark.parametrize(
    "name",
    ["m.pkl", "m.joblib", "m.bin", "notes.txt", ".hidden.onnx", "a b.onnx", "ä.onnx", "x" * 101 + ".onnx"],
)
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    """A file of another kind or with an odd name ends the run though a model is there too."""
    (tmp_path / name).write_bytes(TENSORS)
    assert reason(tmp_path, m__safetensors=TENSORS) == "model_refused"


def test_only_plain_files_leave(tmp_path: Path) -> None:
    """Directories, links to elsewhere and second names of a file are refused."""
    out = tmp_path / "out"
    for make in (
        lambda: os.mkdir(out / "inside"),
        lambda: (out / "m.onnx").symlink_to("/etc/hostname"),
        lambda: os.link(tmp_path / "secret", out / "m.onnx"),
        lambda: os.mkfifo(out / "m.onnx"),
    ):
        out.mkdir()
        (tmp_path / "secret").write_bytes(TENSORS)
        make()
        assert reason(out, m__safetensors=TENSORS) == "model_refused"
        out.rename(tmp_path / f"done{len(list(tmp_path.iterdir()))}")


def test_no_model_is_its_own_reason(tmp_path: Path) -> None:
    """Metrics alone are not a result."""
    assert reason(tmp_path) == "model_missing"


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """The number of files is bounded."""
    files = {f"m{n}__safetensors": TENSORS for n in range(model.MAX_FILES + 1)}
    assert reason(tmp_path, **files) == "model_refused"


@pytest.mark.parametrize(
    "metrics",
    [
        "",
        "[]",
        "{",
        b"\xff",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": "text"}',
        '{"a": true}',
        '{"a": null}',
        '{"a": {"b": 1}}',
        '{"a": 1, "a": 2}',
        '{"a b": 1}',
        '{"": 1}',
        '{"a": 1' + "0" * 400 + "}",
        json.dumps({f"m{n}": n for n in range(model.MAX_METRICS + 1)}),
        "{" + " " * 70_000 + "}",
        "[" * 60_000,
    ],
)
def test_metrics_are_numbers_only(tmp_path: Path, metrics: str | bytes) -> None:
    """Metrics that could carry text, or no number at all, are refused."""
    assert reason(tmp_path, metrics=metrics, m__safetensors=TENSORS) == "metrics_refused"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([".safetensors", ".onnx", ".skops"]), st.binary(max_size=200))
def test_random_bytes_never_break_the_check(
    tmp_path_factory: pytest.TempPathFactory, kind: str, content: bytes
) -> None:
    """Whatever the bytes are, the answer is our refusal and no other error."""
    out = tmp_path_factory.mktemp("out")
    (out / f"m{kind}").write_bytes(content)
    (out / "metrics.json").write_text("{}")
    with pytest.raises(WorkloadError):
        model.accept(out, LIMIT)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(TENSORS) - 1), st.integers(0, 255))
def test_a_changed_byte_is_accepted_only_if_it_is_still_a_model(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    """A damaged safetensors file is refused by us or still read by the reference library."""
    from safetensors.numpy import load

    damaged = bytearray(TENSORS)
    damaged[at] = value
    out = tmp_path_factory.mktemp("out")
    (out / "m.safetensors").write_bytes(damaged)
    (out / "metrics.json").write_text("{}")
    try:
        model.accept(out, LIMIT)
    except WorkloadError as error:
        assert error.reason == "model_refused"  # noqa: PT017 (either outcome is right)
    else:
        load(bytes(damaged))
