"""Opens a run's model for its owner.

- The model's key is unwrapped by KMS for the caller alone, bound to the order's digest; nobody else may.
- Every part is opened as the part that was sealed for its place, and every file has the digest that manifest
  and receipt name; anything else is refused and not left behind.
"""

from __future__ import annotations

from pathlib import Path

from sealtrain import sealing
from sealtrain.rules import names
from sealtrain.rules.receipt import Receipt
from sealtrain.rules.settings import Settings

from cli import objects
from cli.api import Api
from cli.errors import CommandError
from cli.keys import data_key
from cli.sealed import BucketPlace, open_files


def open_model(api: Api, settings: Settings, run: str, receipt: Receipt, target: Path) -> list[str]:
    """Write the model's files into `target`; their names. Raises CommandError or SealingError."""
    bucket = names.models_bucket(settings)
    data = objects.read(api, bucket, names.model_manifest(run))
    if data is None:
        raise CommandError("the run has no model", field="run", got=run, remedy=f"`sealtrain status {run}`")
    manifest = sealing.parse_manifest(data)
    _compare(manifest, receipt)
    key = data_key(api, manifest, names.owner_key(settings))
    return open_files(BucketPlace(api, bucket, names.model_prefix(run)), manifest, key, target)


def _compare(manifest: sealing.Manifest, receipt: Receipt) -> None:
    stored = sorted((file.path, file.size, file.sha256) for file in manifest.files)
    signed = sorted((file.name, file.size, file.sha256) for file in receipt.model)
    if stored != signed or manifest.id != receipt.order_digest:
        raise CommandError(
            "the stored model is not the one that the receipt names",
            field="manifest.json",
            got=f"{stored} for {manifest.id}",
            expected=f"{signed} for {receipt.order_digest}",
            remedy="do not use it; ask the operator what wrote to the models bucket",
        )
