"""The workload: attest, get the key, open the data, train, seal the model, sign the receipt.

    python -m workload --order gs://BUCKET/ORDER.json --order-digest sha256:…

- The order's bytes must have the digest from the VM's metadata; everything else follows from it.
- A failure is published as one word. Nothing is logged that the data could shape, but for sizes.
- What is published is signed by the attested key.
- SIGTERM (preemption, stop) ends the child, seals its checkpoint and reports `preempted`. Exit 0 or 1.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec
from sealtrain.rules import canonical
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.order import Order, parse_order

from workload import checkpoint, child, confine, model
from workload.attestation import Attestation, await_release
from workload.cloud import Cloud
from workload.errors import Preempted, WorkloadError
from workload.launcher import SOCKET
from workload.receipt import publish_end, sign_receipt
from workload.sealed import open_files, seal_files

_RESERVE_S = 300


def main() -> int:
    """Do one run, publish how it ended, and give the exit code."""
    parser = argparse.ArgumentParser(prog="workload")
    parser.add_argument("--order", required=True)
    parser.add_argument("--order-digest", required=True)
    asked = parser.parse_args()
    sys.excepthook = lambda _kind, error, _trace: _log("workload.crashed", None, detail=_told(error)[1])
    confine.guard_this_process()
    signal.signal(signal.SIGTERM, _preempted)
    order = attestation = None
    try:
        cloud = Cloud(os.environ.get("SEALTRAIN_ENDPOINT"))
        order = _order(cloud, asked.order, asked.order_digest)
        socket = os.environ.get("SEALTRAIN_LAUNCHER_SOCKET", SOCKET)
        attestation = Attestation(order, asked.order_digest, socket)
        receipt_digest = _run(cloud, order, asked.order_digest, attestation)
        publish_end(cloud, order, attestation, "succeeded", "", receipt_digest)
    except (Exception, Preempted) as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reason, detail = _told(error)
        _log("workload.failed", order, severity="ERROR", reason=reason, detail=detail)
        if order is not None and attestation is not None:
            publish_end(cloud, order, attestation, "failed", reason, getattr(error, "left", None))
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
    attestation.show(cloud)
    _log("workload.attested", order)
    released = await_release(cloud, order, order_digest, deadline)
    bound_to = order.dataset.manifest or order_digest
    key = attestation.unwrap(cloud, order.release.kms_key, released.wrapped_key, bound_to)
    with tempfile.TemporaryDirectory(prefix="sealtrain-") as private:
        data, work = Path(private, "data"), Path(private, "work")
        for folder in (data, work, work / child.CHECKPOINT):
            folder.mkdir()
        dataset = order.dataset
        open_files(cloud, dataset.bucket, dataset, key, data)
        del key
        checkpoint.restore(cloud, order, attestation, work / child.CHECKPOINT)
        _log("dataset.opened", order, files=len(dataset.files), resumed=order.checkpoint.resume is not None)
        if missing := confine.missing():
            _log("confinement.partial", order, severity="WARNING", detail=f"not on this system: {missing}")
        started = _now()
        limits = msgspec.structs.replace(order.limits, seconds=max(1, int(deadline - time.monotonic())))
        try:
            out, printed = child.train(
                data, order.arguments, work, limits, lambda: _show(cloud, order, attestation)
            )
        except Preempted as notice:
            _leave_checkpoint(cloud, order, work / child.CHECKPOINT, notice)
            raise
        finished = _now()
        _log("trainer.finished", order, printed_bytes=printed)
        models, metrics = model.accept(out, limits.disk_bytes)
        files, place = {found.name: found for found in models}, order.output
        manifest = seal_files(
            cloud, place.bucket, f"{place.prefix}model/", place.kms_key, order_digest, files
        )
        cloud.create_record(place.bucket, f"{place.prefix}manifest.json", manifest.encode())
    _log("model.sealed", order, files=len(manifest.files))
    return sign_receipt(cloud, order, attestation, manifest, metrics, (started, finished))


def _show(cloud: Cloud, order: Order, attestation: Attestation) -> None:
    try:
        if attestation.show(cloud):
            _log("workload.attested", order, again=True)
    except WorkloadError as error:
        _log("workload.not_attested", order, severity="WARNING", detail=error.detail)


def _leave_checkpoint(cloud: Cloud, order: Order, folder: Path, notice: Preempted) -> None:
    try:
        notice.left = checkpoint.save(cloud, order, folder)
        _log("checkpoint.sealed", order, manifest=notice.left)
    except WorkloadError as error:
        _log("checkpoint.lost", order, severity="ERROR", detail=error.detail)


def _preempted(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Preempted


def _told(error: BaseException) -> tuple[str, str]:
    """Reason and detail: ours in words; of a foreign error, whose text may hold data, its place."""
    if isinstance(error, Preempted):
        return "preempted", "the platform is stopping this VM"
    if isinstance(error, WorkloadError):
        return error.reason, error.detail
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return "internal", f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _log(event: str, order: Order | None, severity: str = "INFO", **fields: Any) -> None:
    line = {"severity": severity, "event": event, "message": event, "run": order and order.run}
    print(json.dumps(line | fields), flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


if __name__ == "__main__":
    sys.exit(main())
