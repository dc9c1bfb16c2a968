"""What a run of the workload told and left, for its tests."""

import base64
import json
from typing import Any

import psutil
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sealtrain.rules import canonical

from tests.workload.conftest import Run

EVIDENCE = "shown/r0123456789ab"


def unsigned(run: Run) -> list[dict[str, Any]]:
    """What the workload told of its end, once the signature of each message is seen to be good."""
    told = []
    for message in run.world.messages:
        fields = {name: value for name, value in message.items() if name != "signature"}
        stored = run.world.objects.get(("evidence", f"{EVIDENCE}/token.json"), b"{}")
        record = json.loads(stored)
        if record.get("token") in run.world.issued:
            key = serialization.load_pem_public_key(record["public_key_pem"].encode())
            assert isinstance(key, ec.EllipticCurvePublicKey)
            signature = base64.b64decode(message["signature"], validate=True)
            key.verify(signature, canonical.dumps(fields), ec.ECDSA(hashes.SHA256()))
        told.append(fields)
    return told


def failed(run: Run, reason: str, outcome: tuple[int, str] | None = None) -> str:
    """Expect one failure message with this reason, no receipt and no model; give the output."""
    code, printed = outcome or run.finish()
    told = {"run": "r0123456789ab", "state": "failed", "reason": reason, "left_digest": None}
    assert unsigned(run) == [told], printed
    assert code == 1
    assert ("evidence", f"{EVIDENCE}/receipt.json") not in run.world.objects
    assert not [name for bucket, name in run.world.objects if bucket == "models"]
    return printed


def trainers_of(run: Run) -> list[psutil.Process]:
    """Find the trainer processes that run in this run's image."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(run.app) and "trainer" in (process.info["cmdline"] or ())
    ]


def flip(run: Run, name: str, bucket: str = "sealed") -> None:
    data = bytearray(run.world.objects[bucket, name])
    data[len(data) // 2] ^= 1
    run.world.objects[bucket, name] = bytes(data)
