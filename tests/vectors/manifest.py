"""A manifest of cases: files by digest, and for each case its files, policy and expected verdict.

Paths are relative to the manifest's folder and stay inside it. A file that is not what the manifest says
makes its cases broken: neither accepted nor refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["accept", "reject"]


class BrokenError(Exception):
    """The manifest or one of its files cannot be used; says why."""


@dataclass(frozen=True)
class Case:
    """One case; `files` are the bytes by their role."""

    id: str
    format: str
    files: dict[str, bytes]
    policy: dict[str, Any]
    expected: Verdict
    reason: str
    broken: str = ""


@dataclass(frozen=True)
class Got:
    """What a verifier answered; `lines` tell what a case of many entries found wrong."""

    verdict: Verdict
    reason: str
    lines: list[str] = field(default_factory=list)


def read(path: Path) -> list[Case]:
    """Read all cases. Raises BrokenError when the manifest itself cannot be used."""
    try:
        document = json.loads(path.read_bytes())
        listed, cases = document.get("files", {}), document["cases"]
        return [_case(path.resolve().parent, listed, one) for one in cases]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenError(f"{path}: {type(error).__name__}: {error}") from error


def _case(folder: Path, listed: dict[str, Any], one: dict[str, Any]) -> Case:
    files, broken = {}, ""
    for role, name in one["files"].items():
        try:
            files[role] = _file(folder, name, listed.get(name))
        except BrokenError as error:
            broken = str(error)
    expected = one["expected"]
    if expected["verdict"] not in ("accept", "reject"):
        raise ValueError(f"{one['id']}: expected verdict {expected['verdict']!r}")
    return Case(
        id=one["id"],
        format=one["format"],
        files=files,
        policy=one.get("policy") or {},
        expected=expected["verdict"],
        reason=str(expected.get("reason", "")),
        broken=broken,
    )


def _file(folder: Path, name: str, listed: dict[str, Any] | None) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise BrokenError(f"{name} is outside the manifest's folder")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenError(f"{name}: {error.strerror}") from error
    if listed and listed.get("sha256") not in (None, hashlib.sha256(data).hexdigest()):
        raise BrokenError(f"{name} is not the file that the manifest lists")
    return data
