"""The workload image as an OCI layout, the same bytes every time.

- The one layer holds /app: the workload, exactly the modules of `sealtrain` that it imports, and
  TRAINER_DIR/trainer. Names are sorted, times and owners 0, modes fixed; no caches, no bytecode.
- The layer is gzip of stored blocks, so that its bytes depend on no compressor's version.
- The base (Python and its libraries) is not in this layout: the stand-in's machine has it, and
  workload/Dockerfile adds it for Google Cloud.
"""

import ast
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NewType

Digest = NewType("Digest", str)
"""`sha256:` and 64 hex digits."""

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_REPOSITORY = Path(__file__).resolve().parents[2]
_ROOTS = {"workload": _REPOSITORY, "sealtrain": _REPOSITORY / "functions"}
_STARTS = ("workload.__main__", "workload.confine")
_NEVER = ("sealtrain.cloud", "sealtrain.steps", "sealtrain.listeners", "sealtrain.edge")
_SKIPPED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
_EPOCH = "1970-01-01T00:00:00Z"
_RUN = {
    "Entrypoint": ["python3", "-m", "workload"],
    "Env": ["PYTHONPATH=/app", "PYTHONDONTWRITEBYTECODE=1"],
    "Labels": {
        "tee.launch_policy.allow_cmd_override": "true",
        "tee.launch_policy.log_redirect": "always",
    },
    "WorkingDir": "/app",
}


class ImageError(Exception):
    """The image cannot be built or pushed; says what is wrong and what to do."""


def tree(trainer_dir: Path) -> dict[str, bytes]:
    """Give /app's files by relative path. Raises ImageError when there is no trainer package."""
    package = trainer_dir / "trainer"
    if not (package / "__main__.py").is_file():
        raise ImageError(f"{package}: expected a package with __main__.py; see workload/README.md")
    files = {}
    for module in _reachable():
        root = _ROOTS[module.split(".")[0]]
        path = _source(module)
        files[path.relative_to(root).as_posix()] = path.read_bytes()
    for path in package.rglob("*"):
        inside = set(path.relative_to(package).parts)
        if _SKIPPED & inside or path.suffix == ".pyc" or path.is_dir():
            continue
        if path.is_symlink() or not path.is_file():
            raise ImageError(f"{path}: only plain files may go into the image; remove it")
        files[path.relative_to(trainer_dir).as_posix()] = path.read_bytes()
    return files


def build(trainer_dir: Path, out_dir: Path) -> Digest:
    """Write the OCI layout of the workload with this trainer; give the image's digest."""
    tar = _tar(tree(trainer_dir))
    layer = _stored_gzip(tar)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": _EPOCH,
            "config": _RUN,
            "rootfs": {"type": "layers", "diff_ids": [_digest(tar)]},
            "history": [{"created": _EPOCH, "created_by": "python -m cli.image"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(_CONFIG_TYPE, config),
            "layers": [_descriptor(_LAYER_TYPE, layer)],
        }
    )
    platform = {"platform": {"architecture": "amd64", "os": "linux"}}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [_descriptor(MANIFEST_TYPE, manifest) | platform],
    }
    blobs = out_dir / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for blob in (layer, config, manifest):
        (blobs / _digest(blob).removeprefix("sha256:")).write_bytes(blob)
    (out_dir / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (out_dir / "index.json").write_bytes(_json(index))
    return _digest(manifest)


def _reachable() -> list[str]:
    """Follow the workload's imports; packages' own files come with their modules."""
    found: set[str] = set()
    waiting = list(_STARTS)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        if module.startswith(_NEVER):
            raise ImageError(f"the workload imports {module}; it may use rules and sealing only")
        found.add(module)
        waiting += [".".join(module.split(".")[:-1])] if "." in module else []
        waiting += list(_imports(ast.parse(_source(module).read_bytes())))
    return sorted(found)


def _imports(code: ast.AST) -> Iterator[str]:
    for node in ast.walk(code):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in _ROOTS and _is_module(name))


def _is_module(name: str) -> bool:
    return _source(name).is_file()


def _source(module: str) -> Path:
    path = _ROOTS[module.split(".", maxsplit=1)[0]].joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _tar(files: Mapping[str, bytes]) -> bytes:
    directories = {
        parent.as_posix() for name in files for parent in Path("app", name).parents
    } - {"."}  # fmt: skip
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for directory in sorted(directories):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name in sorted(files):
            entry = tarfile.TarInfo(f"app/{name}")
            entry.size, entry.mode = len(files[name]), 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return out.getvalue()


def _stored_gzip(data: bytes) -> bytes:
    """Wrap data as gzip without compressing it (RFC 1951, blocks of type 00)."""
    out = bytearray(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
    blocks = [data[at : at + 0xFFFF] for at in range(0, len(data), 0xFFFF)]
    for number, block in enumerate(blocks, 1):
        last = number == len(blocks)
        out += struct.pack("<BHH", last, len(block), 0xFFFF - len(block)) + block
    return bytes(out + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
