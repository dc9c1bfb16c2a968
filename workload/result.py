"""Seal the accepted model to its owner, and sign what was done.

- The model's key is fresh and wrapped by the owner's KMS key, bound to the order's digest; this VM
  may encrypt with that key and not decrypt.
- The manifest is written after every part; the receipt after the manifest.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from sealtrain import sealing
from sealtrain.rules import canonical, dsse
from sealtrain.rules.order import Order

from workload.cloud import Cloud
from workload.release import Attestation

_RECEIPT_TYPE = "application/vnd.sealtrain.receipt+json"


def seal_model(cloud: Cloud, order: Order, order_digest: str, models: list[Path]) -> sealing.Manifest:
    """Upload the models' sealed parts, then their manifest; give the manifest."""
    place, key = order.output, sealing.new_data_key()
    wrapped, version = cloud.encrypt(place.kms_key, key.serialize(), order_digest)
    manifest = sealing.Manifest(
        id=order_digest,
        sealed_by="workload",
        files=tuple(_seal_file(cloud, order, order_digest, key, model) for model in models),
        key=sealing.WrappedKey(place.kms_key, version, wrapped, associated_data=order_digest),
    )
    cloud.create_record(place.bucket, f"{place.prefix}manifest.json", manifest.encode())
    return manifest


def _seal_file(
    cloud: Cloud, order: Order, order_digest: str, key: sealing.DataKey, model: Path
) -> sealing.SealedFile:
    size = model.stat().st_size
    count = sealing.count_parts(size)
    parts = []
    with model.open("rb") as source:
        for number in range(count):
            place = sealing.associated_data(order_digest, model.name, number, count)
            name = f"{order.output.prefix}model/{model.name}.part-{number:05d}"
            with tempfile.TemporaryFile() as buffer:
                got = sealing.seal(source, buffer, key, place)
                buffer.seek(0)
                cloud.create(order.output.bucket, name, buffer, got.sealed_crc32c)
            part = sealing.Part(name, got.size, got.sha256, got.sealed_size, got.sealed_sha256)
            parts.append(part)
        source.seek(0)
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    return sealing.SealedFile(model.name, size, f"sha256:{sha256}", tuple(parts))


def sign_receipt(
    cloud: Cloud,
    order: Order,
    attestation: Attestation,
    manifest: sealing.Manifest,
    metrics: dict[str, float],
    times: tuple[str, str],
) -> str:
    """Write the signed receipt beside the evidence; give its digest. Times are RFC 3339."""
    files = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in order.dataset.files]
    receipt = {
        "version": 1,
        "run": order.run,
        "order_digest": manifest.id,
        "image_digest": order.image_digest,
        "dataset": {"id": order.dataset.id, "files": files},
        "model": [_entry(file) for file in manifest.files],
        "metrics": metrics,
        "started": times[0],
        "finished": times[1],
        "trainer_exit": 0,
    }
    keyid = dsse.key_id(attestation.public_key_pem)
    signed = dsse.sign(_RECEIPT_TYPE, canonical.dumps(receipt), attestation.sign, keyid)
    data = dsse.serialize(signed)
    name = f"{order.evidence.prefix}evidence/receipt.json"
    cloud.create_record(order.evidence.bucket, name, data)
    return canonical.digest(data)


def _entry(file: sealing.SealedFile) -> dict[str, Any]:
    kept = ("object", "sealed_sha256", "sealed_size")
    objects = [{name: msgspec.to_builtins(part)[name] for name in kept} for part in file.parts]
    return {"name": file.path, "size": file.size, "sha256": file.sha256, "objects": objects}
