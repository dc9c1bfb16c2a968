"""The workload: attest, get the key, open the data, train, seal the model, sign the receipt.

    python -m workload --order gs://BUCKET/ORDER.json --order-digest sha256:…

- The order's bytes must have the digest from the VM's metadata; everything else follows from it.
- A failure is published as one word. Nothing is logged that the data could shape, but for sizes.
- What is published is signed by the attested key.
- SIGTERM (preemption, stop) ends the child and reports `preempted`. Exit 0 or 1.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec
from sealtrain.rules import canonical
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.order import Order, parse_order

from workload import child, confine, model
from workload.cloud import Cloud
from workload.dataset import open_dataset
from workload.errors import Reason, WorkloadError
from workload.launcher import SOCKET
from workload.release import Attestation, await_release
from workload.result import seal_model, sign_receipt

_RESERVE_S = 300


def main() -> int:
    """Do one run, publish how it ended, and give the exit code."""
    parser = argparse.ArgumentParser(prog="workload")
    parser.add_argument("--order", required=True)
    parser.add_argument("--order-digest", required=True)
    asked = parser.parse_args()
    confine.guard_this_process()
    signal.signal(signal.SIGTERM, _preempted)
    order = attestation = None
    try:
        cloud = Cloud(os.environ.get("SEALTRAIN_ENDPOINT"))
        order = _order(cloud, asked.order, asked.order_digest)
        socket = os.environ.get("SEALTRAIN_LAUNCHER_SOCKET", SOCKET)
        attestation = Attestation(order, asked.order_digest, socket)
        receipt_digest = _run(cloud, order, asked.order_digest, attestation)
        _publish(cloud, order, attestation, "succeeded", "", receipt_digest)
    except Exception as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reason = _reason(error)
        _log("workload.failed", order, severity="ERROR", reason=reason, detail=_shown(error))
        if order is not None and attestation is not None:
            _publish(cloud, order, attestation, "failed", reason, None)
        return 1
    return 0


def _order(cloud: Cloud, place: str, digest: str) -> Order:
    bucket, _, name = place.removeprefix("gs://").partition("/")
    data = cloud.read(bucket, name)
    if data is None or canonical.digest(data) != digest:
        raise WorkloadError("order_mismatch", "the order is not the one in the VM's metadata")
    try:
        return parse_order(data)
    except SealtrainError as error:
        raise WorkloadError("order_mismatch", "the order cannot be read") from error


def _run(cloud: Cloud, order: Order, order_digest: str, attestation: Attestation) -> str:
    """Do what the order says; give the digest of the receipt.

    The order's seconds are the VM's; some are kept for its boot, the sealing and the report.
    """
    seconds = order.limits.seconds
    deadline = time.monotonic() + seconds - min(_RESERVE_S, seconds // 4)
    attestation.write_evidence(cloud)
    _log("workload.attested", order)
    key = attestation.unwrap(cloud, await_release(cloud, order, order_digest, deadline))
    with tempfile.TemporaryDirectory(prefix="sealtrain-") as private:
        data, work = Path(private, "data"), Path(private, "work")
        data.mkdir()
        work.mkdir()
        open_dataset(cloud, order, key, data)
        del key
        _log("dataset.opened", order, files=len(order.dataset.files))
        if not confine.available():
            _log("confinement.limits_only", order, detail="seccomp: not available on this system")
        started = _now()
        left_s = max(1, int(deadline - time.monotonic()))
        limits = msgspec.structs.replace(order.limits, seconds=left_s)
        out, printed_bytes = child.train(data, order.arguments, work, limits)
        finished = _now()
        _log("trainer.finished", order, printed_bytes=printed_bytes)
        models, metrics = model.accept(out, limits.disk_bytes)
        manifest = seal_model(cloud, order, order_digest, models)
    _log("model.sealed", order, files=len(manifest.files))
    return sign_receipt(cloud, order, attestation, manifest, metrics, (started, finished))


def _publish(
    cloud: Cloud, order: Order, attestation: Attestation, state: str, reason: str, receipt: str | None
) -> None:
    """Tell how the run ended, signed by the attested key: all VMs may write to this topic."""
    message = {"run": order.run, "state": state, "reason": reason, "receipt_digest": receipt}
    signature = b64encode(attestation.sign(canonical.dumps(message))).decode()
    cloud.publish(order.events_topic, canonical.dumps({**message, "signature": signature}))


def _preempted(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise WorkloadError("preempted", "the platform is stopping this VM")


def _reason(error: BaseException | None) -> Reason:
    """Find our reason in the chain; a preemption counts wherever in a library it struck."""
    reasons: list[Reason] = []
    while error is not None:
        if isinstance(error, WorkloadError):
            reasons.append(error.reason)
        error = error.__cause__ or error.__context__
    return "preempted" if "preempted" in reasons else (reasons or ["internal"])[0]


def _shown(error: Exception) -> str:
    """Describe an error: ours in words; a foreign one, whose text may hold data, by its place."""
    if isinstance(error, WorkloadError):
        return error.detail
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _log(event: str, order: Order | None, severity: str = "INFO", **fields: Any) -> None:
    line = {"severity": severity, "event": event, "message": event, "run": order and order.run}
    print(json.dumps(line | fields), flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


if __name__ == "__main__":
    sys.exit(main())
