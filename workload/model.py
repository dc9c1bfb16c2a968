"""What may leave: models by content, and numbers. Never a pickle.

- Only regular files directly in the output directory; only *.safetensors, *.onnx, *.skops and
  metrics.json; at least one model; names of plain characters; at most MAX_FILES.
- A file is what its name says, by its bytes: a safetensors header that accounts for every byte, an
  ONNX protobuf with a version and a graph and no tensor that lies in another file, a skops zip of a
  schema and arrays of plain values without a byte to spare.
- metrics.json: a flat object of at most MAX_METRICS finite numbers under short plain names.
- Files are only looked at, never loaded. Refusals name the rule, never what a file holds.
"""

import ast
import math
import re
import stat
import zipfile
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
from sealtrain.rules import canonical
from sealtrain.rules.errors import SealtrainError

from workload.errors import Reason, WorkloadError

MAX_FILES = 64
MAX_METRICS = 64
METRICS = "metrics.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_METRIC = re.compile(r"[A-Za-z0-9_.@/-]{1,64}")
_MAX_METRICS_BYTES = 64 * 1024
_MAX_HEADER_BYTES = 16 * 1024 * 1024
_MAX_MEMBERS = 10_000
_DTYPE_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "U16": 16, "I16": 16, "F16": 16,
    "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
_PLAIN_ITEM = re.compile(r"[<>|=]?([?bBiufcSUVmM])(\d{1,4})(?:\[\w+\])?")
_ONNX_FIELDS = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}
_ONNX_EXTERNAL = {13, 14}  # a tensor's external_data and data_location: a path to another file
# In which messages of onnx.proto tensors may lie: message -> field -> message.
_ONNX_INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {},
}


class _Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: list[Annotated[int, msgspec.Meta(ge=0)]]
    data_offsets: tuple[int, int]


def accept(out: Path, max_bytes: int) -> tuple[list[Path], dict[str, float]]:
    """Give the model files, sorted by name, and the metrics. Raises WorkloadError."""
    found = sorted(path for path in out.iterdir() if path.name != METRICS)
    if not found:
        raise WorkloadError("model_missing", f"no file of {', '.join(_CHECKS)} was written")
    if len(found) > MAX_FILES:
        raise WorkloadError("model_refused", f"{len(found)} files; at most {MAX_FILES}")
    for path in found:
        _check(path, max_bytes)
    return found, _metrics(out / METRICS)


def _check(path: Path, max_bytes: int) -> None:
    check, info = _CHECKS.get(path.suffix), path.lstat()
    if check is None or not _NAME.fullmatch(path.name):
        raise WorkloadError("model_refused", f"a file that is not one of {', '.join(_CHECKS)}")
    if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
        raise WorkloadError("model_refused", "something that is not a plain file")
    if not 0 < info.st_size <= max_bytes:
        raise WorkloadError("model_refused", f"{info.st_size} bytes; allowed 1 to {max_bytes}")
    with path.open("rb") as file:
        try:
            check(file, info.st_size)
        except Exception as error:  # whatever hostile bytes make a parser raise is a refusal
            file.seek(0)
            pickled = re.match(rb"\x80[\x02-\x05]", file.read(2))  # of protocol 2 or later
            reason: Reason = "model_pickled" if pickled else "model_refused"
            raise WorkloadError(reason, f"no {path.suffix} file by its bytes") from error


def _safetensors(file: IO[bytes], size: int) -> None:
    length = int.from_bytes(file.read(8), "little")
    _require(2 <= length <= min(size - 8, _MAX_HEADER_BYTES))
    header = canonical.loads(file.read(length))
    msgspec.convert(header.pop("__metadata__", {}), dict[str, str])
    tensors = msgspec.convert(header, dict[str, _Tensor])
    _require(len(tensors) > 0)
    end = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.data_offsets):
        begin, stop = tensor.data_offsets
        bits = math.prod(tensor.shape) * _DTYPE_BITS[tensor.dtype]
        _require(begin == end and (stop - begin) * 8 == bits)
        end = stop
    _require(end == size - 8 - length)


def _onnx(file: IO[bytes], size: int) -> None:
    _require({(1, 0), (7, 2)} <= _message(file, size, "model"))


def _message(file: IO[bytes], end: int, kind: str) -> set[tuple[int, int]]:
    """Walk a protobuf message up to `end`, and into what may hold a tensor; give its (field, wire type)s."""
    seen, inner = set(), _ONNX_INNER[kind]
    while file.tell() < end:
        tag = _varint(file)
        field, wire = tag >> 3, tag & 7
        _require(kind != "model" or (field in _ONNX_FIELDS and wire in {0, 2}))
        _require(kind != "tensor" or field not in _ONNX_EXTERNAL)
        seen.add((field, wire))
        length = _varint(file) if wire in {0, 2} else {1: 8, 5: 4}[wire]
        if wire != 0:
            stop = file.tell() + length
            _require(stop <= end)
            if field in inner:
                _require(wire == 2)
                _message(file, stop, inner[field])
            file.seek(stop)
    _require(file.tell() == end)
    return seen


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise ValueError("a number of more than 64 bits")


def _skops(file: IO[bytes], size: int) -> None:
    _require(file.read(4) == b"PK\x03\x04")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        _require(len(members) <= _MAX_MEMBERS and unpacked <= 100 * size)
        _require(len({member.filename for member in members}) == len(members))
        canonical.loads(archive.read("schema.json"))
        for member in members:
            if member.filename != "schema.json":
                _require(member.filename.endswith(".npy"))
                with archive.open(member) as content:
                    _array(content, member.file_size)


def _array(content: IO[bytes], size: int) -> None:
    """An array of objects would hold a pickle; numbers, text and records of them fill their shape exactly."""
    magic = content.read(8)
    width = 2 if magic[6] == 1 else 4
    length = int.from_bytes(content.read(width), "little")
    _require(magic.startswith(b"\x93NUMPY") and length <= 64 * 1024)
    header = ast.literal_eval(content.read(length).decode("latin-1"))
    items = math.prod(header["shape"])
    _require(size == 8 + width + length + items * _item_bytes(header["descr"]))


def _item_bytes(descr: str | list[Any]) -> int:
    if isinstance(descr, str):
        found = _PLAIN_ITEM.fullmatch(descr)
        _require(found is not None)
        return int(found[2]) * (4 if found[1] == "U" else 1)  # type: ignore[index]
    return sum(_item_bytes(field[1]) * math.prod(field[2] if len(field) > 2 else ()) for field in descr)


_CHECKS = {".safetensors": _safetensors, ".onnx": _onnx, ".skops": _skops}


def _metrics(path: Path) -> dict[str, float]:
    try:
        info = path.lstat()
        _require(stat.S_ISREG(info.st_mode) and info.st_size <= _MAX_METRICS_BYTES)
        found: dict[str, float] = canonical.loads(path.read_bytes())
        _require(isinstance(found, dict) and len(found) <= MAX_METRICS)
        for name, value in found.items():
            _require(_METRIC.fullmatch(name) is not None and type(value) in {int, float})
            _require(abs(value) < 2**53)
    except (OSError, ValueError, SealtrainError) as error:
        expected = f"{METRICS}: at most {MAX_METRICS} finite numbers under short plain names"
        raise WorkloadError("metrics_refused", f"expected {expected}") from error
    return found


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("not as the format demands")
