"""Freezing: the order of an admitted job and its sealed dataset."""

from __future__ import annotations

from sealtrain.rules import names
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.order import (
    Checkpoint,
    Dataset,
    EvidencePlace,
    Order,
    OrderedObject,
    OrderLimits,
    Output,
    Release,
    Source,
)
from sealtrain.rules.settings import Settings

EVIDENCE_AUDIENCE = "sealtrain-evidence"


def order_of(
    settings: Settings, frozen: FrozenJob, dataset: Dataset, places: str, kms_key: str = ""
) -> Order:
    """The order of an admitted job and its sealed dataset.

    `places` is the public half of the run's place key; `kms_key` the key of the owner, who sealed it.
    """
    run = frozen.run
    uploaded = frozen.objects if frozen.manifest is None else (frozen.manifest, *frozen.objects)
    return Order(
        run=run,
        project=settings.project,
        project_number=settings.project_number,
        region=settings.region,
        deployment=settings.deployment,
        dataset=dataset,
        source=Source(
            bucket=frozen.bucket,
            objects=tuple(OrderedObject(o.name, o.generation, o.size) for o in uploaded),
        ),
        image=frozen.image,
        image_digest=frozen.image_digest,
        format=frozen.job.format,
        arguments=frozen.job.arguments,
        limits=OrderLimits(
            seconds=frozen.job.limits.seconds,
            disk_bytes=frozen.job.limits.disk_bytes,
            memory_bytes=frozen.memory_bytes,
        ),
        release=Release(
            kms_key=kms_key or names.run_key(settings, run),
            object=names.gs(names.state_bucket(settings), names.release(run)),
            sts_audience=names.sts_audience(settings),
        ),
        output=Output(
            bucket=names.models_bucket(settings),
            prefix=names.model_prefix(run),
            kms_key=names.owner_key(settings),
        ),
        checkpoint=Checkpoint(
            bucket=names.checkpoints_bucket(settings),
            prefix=names.checkpoint_prefix(run),
            kms_key=names.checkpoint_key(settings),
        ),
        evidence=EvidencePlace(
            bucket=names.evidence_bucket(settings),
            prefix=names.shown_prefix(run),
            audience=EVIDENCE_AUDIENCE,
            renew_s=settings.attest_every_s,
            places=places,
        ),
        events_topic=names.topic(settings, "job-events"),
    )
