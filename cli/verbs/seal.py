"""`sealtrain seal DIR`: seal a dataset before upload, with the owner's key: then it is sealed end to end."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sealtrain.rules import names
from sealtrain.rules.uploads import JOB_FILE

from cli import place
from cli.api import Api
from cli.called import called
from cli.keys import OwnersKey
from cli.output import emit, plain, say
from cli.sealing import seal_folder


def seal(data: Path, out: Path | None, key: str, as_json: bool) -> int:
    """Seal `data` into `out` (default: beside it, with `.sealed` behind its name)."""
    settings = place.find(os.environ, Path.cwd())
    target = out or data.resolve().with_name(f"{data.resolve().name}.sealed")
    manifest = seal_folder(data, target, OwnersKey(Api(settings), key or names.datasets_key(settings)))
    wrapped = manifest.key
    parts = sum(len(file.parts) for file in manifest.files)
    told = {
        "dataset": manifest.id,
        "folder": str(target),
        "files": len(manifest.files),
        "parts": parts,
        "bytes": sum(file.size for file in manifest.files),
        "key_version": wrapped.key_version if wrapped else "",
    }
    if as_json:
        emit(told)
    else:
        say(f"{plain(str(target))}: {told['files']} file(s), {parts} part(s), dataset {manifest.id}")
        say(f"wrapped by {told['key_version']}")
        job = "" if (target / JOB_FILE).exists() else " --job job.yaml"
        say(f"next: {called()} submit {plain(shlex.quote(str(target)))}{job}")
    return 0
