"""`sealtrain open SEALED`: open a model or a sealed dataset for whoever may use its key."""

from __future__ import annotations

import os
from pathlib import Path

from sealtrain.rules import names
from sealtrain.sealing import parse_manifest

from cli import place, sealed
from cli.api import Api
from cli.keys import data_key
from cli.output import emit, plain, say


def open_(text: str, out: Path, as_json: bool) -> int:
    """Open what `text` names (a folder, gs://BUCKET/PREFIX/, or a run: its model) into `out`."""
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    if names.RUN_ID.fullmatch(text) and not Path(text).exists():
        text = names.gs(names.models_bucket(settings), names.model_prefix(text))
    where = sealed.find(api, text)
    manifest = parse_manifest(where.manifest())
    opened = sealed.open_files(where, manifest, data_key(api, manifest), out)
    if as_json:
        emit({"id": manifest.id, "sealed_by": manifest.sealed_by, "folder": str(out), "files": opened})
    else:
        for path in opened:
            say(plain(str(out / path)))
    return 0
