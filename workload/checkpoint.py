"""A checkpoint: what the trainer keeps so that a later attempt can go on, open to attested VMs only.

- It leaves as one sealed archive of plain files, so that no name which the trainer chose can be read.
- Its key is wrapped by the deployment's checkpoint key, which only attested VMs may use to open, and
  bound to what the order says is trained: another dataset, image or arguments open nothing.
- The manifest is written last; the VM's signed word holds its digest, and the order that goes on from it.
"""

import tarfile
import tempfile
from pathlib import Path

from sealtrain import sealing
from sealtrain.rules import canonical
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.order import Order, training_id

from workload.attestation import Attestation
from workload.cloud import Cloud
from workload.errors import WorkloadError
from workload.sealed import open_files, seal_files

_ARCHIVE = "checkpoint.tar"


def save(cloud: Cloud, order: Order, folder: Path) -> str | None:
    """Seal the folder's files; give the digest of their manifest. Of no files there is no checkpoint."""
    place = order.checkpoint
    with tempfile.TemporaryDirectory(prefix="sealtrain-") as private:
        archive = Path(private, _ARCHIVE)
        with tarfile.open(archive, "w") as packed:
            packed.add(folder, arcname=".", filter=_plain)
            if not any(member.isreg() for member in packed.getmembers()):
                return None
        files, bound_to = {_ARCHIVE: archive}, training_id(order)
        data = seal_files(cloud, place.bucket, place.prefix, place.kms_key, bound_to, files).encode()
    cloud.create_record(place.bucket, f"{place.prefix}manifest.json", data)
    return canonical.digest(data)


def restore(cloud: Cloud, order: Order, attestation: Attestation, folder: Path) -> None:
    """Put the files of the order's checkpoint back. Raises WorkloadError when it is not the one named."""
    place, wanted = order.checkpoint, order.checkpoint.resume
    if wanted is None:
        return
    data = cloud.read(place.bucket, wanted.manifest)
    if data is None or canonical.digest(data) != wanted.sha256:
        raise WorkloadError("checkpoint_refused", "the manifest is not the one that the order names")
    try:
        manifest = sealing.parse_manifest(data)
    except SealtrainError as error:
        raise WorkloadError("checkpoint_refused", "the manifest cannot be read") from error
    if manifest.key is None or manifest.id != training_id(order):
        raise WorkloadError("checkpoint_refused", "the checkpoint is of another training")
    key = attestation.unwrap(cloud, place.kms_key, manifest.key.wrapped, manifest.id)
    with tempfile.TemporaryDirectory(prefix="sealtrain-") as private:
        open_files(cloud, place.bucket, manifest, key, Path(private))
        with tarfile.open(Path(private, _ARCHIVE)) as packed:
            packed.extractall(folder, filter="data")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return member if member.isreg() or member.isdir() else None
