"""Sign what was done, with the attested key: the receipt, and the last word about the run."""

from base64 import b64encode
from typing import Any

import msgspec
from sealtrain import sealing
from sealtrain.rules import canonical, signing
from sealtrain.rules.order import Order

from workload.attestation import Attestation
from workload.cloud import Cloud

_RECEIPT_TYPE = "application/vnd.sealtrain.receipt+json"


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
    keyid = signing.key_id(attestation.public_key_pem)
    signed = signing.sign(_RECEIPT_TYPE, canonical.dumps(receipt), attestation.sign, keyid)
    data = signing.serialize(signed)
    cloud.create_record(order.evidence.bucket, f"{order.evidence.prefix}receipt.json", data)
    return canonical.digest(data)


def _entry(file: sealing.SealedFile) -> dict[str, Any]:
    kept = ("object", "sealed_sha256", "sealed_size")
    objects = [{name: msgspec.to_builtins(part)[name] for name in kept} for part in file.parts]
    return {"name": file.path, "size": file.size, "sha256": file.sha256, "objects": objects}


def publish_end(
    cloud: Cloud, order: Order, attestation: Attestation, state: str, reason: str, left: str | None
) -> None:
    """Tell how the run ended and the digest of what it left, signed: all VMs may write to this topic."""
    message = {"run": order.run, "state": state, "reason": reason, "left_digest": left}
    signature = b64encode(attestation.sign(canonical.dumps(message))).decode()
    cloud.publish(order.events_topic, canonical.dumps({**message, "signature": signature}))
