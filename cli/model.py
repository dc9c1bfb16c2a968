"""Opens a run's model for its owner.

- The model's key is unwrapped by KMS for the caller alone, bound to the order's digest; nobody else may.
- Every part is opened as the part that was sealed for its place, and every file has the digest that manifest
  and receipt name; anything else is refused and not left behind.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path

from sealtrain import sealing
from sealtrain.rules import names
from sealtrain.rules.receipt import Receipt
from sealtrain.rules.settings import Settings

from cli import objects
from cli.api import Api, Json
from cli.errors import CloudError, CommandError


def open_model(api: Api, settings: Settings, run: str, receipt: Receipt, target: Path) -> list[str]:
    """Write the model's files into `target`; their names. Raises CommandError or SealingError."""
    bucket = names.models_bucket(settings)
    data = objects.read(api, bucket, names.model_manifest(run))
    if data is None:
        raise CommandError("the run has no model", field="run", got=run, remedy=f"`sealtrain status {run}`")
    manifest = sealing.parse_manifest(data)
    _compare(manifest, receipt)
    key = _unwrap(api, settings, manifest)
    target.mkdir(parents=True, exist_ok=True)
    for file in manifest.files:
        _open_file(api, bucket, manifest.id, file, key, target)
    return [file.path for file in manifest.files]


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


def _unwrap(api: Api, settings: Settings, manifest: sealing.Manifest) -> sealing.DataKey:
    if manifest.key is None:
        raise CommandError("the model's manifest names no key", field="key", remedy="it cannot be opened")
    if manifest.key.kms_key != names.owner_key(settings):
        raise CommandError(
            "the model's manifest names another key than the owner's",
            field="kms_key",
            got=manifest.key.kms_key,
            expected=names.owner_key(settings),
            remedy="treat it as tampering: look at who wrote to the models bucket",
        )
    associated = base64.b64encode(manifest.key.associated_data.encode()).decode()
    body: Json = {"ciphertext": manifest.key.wrapped, "additionalAuthenticatedData": associated}
    try:
        answer = api.call("POST", "cloudkms", f"/v1/{manifest.key.kms_key}:decrypt", body=body, again=True)
    except CloudError as error:
        if error.status != 403:
            raise
        raise CommandError(
            "you may not open this model",
            code="not_the_owner",
            field="key",
            got=manifest.key.kms_key,
            expected="cloudkms.cryptoKeyVersions.useToDecrypt, which only the owner has",
            remedy="ask the owner to fetch it",
        ) from error
    return sealing.DataKey.parse(base64.b64decode(answer["plaintext"]))


def _open_file(
    api: Api, bucket: str, dataset: str, file: sealing.SealedFile, key: sealing.DataKey, target: Path
) -> None:
    final = target / file.path
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".opening-") as folder:
        draft, sealed = Path(folder, "plain"), Path(folder, "sealed")
        sha256 = hashlib.sha256()
        with draft.open("wb") as plain:
            for number, part in enumerate(file.parts):
                objects.download(api, bucket, part.object, sealed)
                place = sealing.associated_data(dataset, file.path, number, len(file.parts))
                with sealed.open("rb") as source:
                    sealing.open_(source, plain, key, place)
        with draft.open("rb") as plain_again:
            while chunk := plain_again.read(1 << 20):
                sha256.update(chunk)
        if f"sha256:{sha256.hexdigest()}" != file.sha256:
            raise CommandError(
                "a model file has other bytes than its receipt says",
                field=file.path,
                got=f"sha256:{sha256.hexdigest()}",
                expected=file.sha256,
            )
        draft.replace(final)
