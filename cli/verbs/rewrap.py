"""`sealtrain rewrap SEALED`: wrap the data key anew, by the newest version of its key or by another key.

Only the manifest's key changes: what it is bound to, the parts and the dataset's id stay as they are. Old key
versions may be destroyed once everything they wrapped was wrapped anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from sealtrain.sealing import parse_manifest

from cli import place, sealed
from cli.api import Api
from cli.keys import OwnersKey, wrapped_key
from cli.output import emit, say


def rewrap(text: str, key: str, as_json: bool) -> int:
    """Wrap it anew; a data key that the newest version wraps already stays as it is."""
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    where = sealed.find(api, text)
    manifest = parse_manifest(where.manifest())
    before = wrapped_key(manifest)
    keys = OwnersKey(api, key or before.kms_key)
    after = keys.wrap(keys.unwrap(before), before.associated_data)
    changed = after.key_version != before.key_version
    if changed:
        where.replace(msgspec.structs.replace(manifest, key=after).encode())
    if as_json:
        emit({"before": before.key_version, "after": after.key_version, "changed": changed})
    elif changed:
        say(f"{before.key_version} ▸ {after.key_version}")
    else:
        say(f"{before.key_version} is the newest version: nothing to do")
    return 0
