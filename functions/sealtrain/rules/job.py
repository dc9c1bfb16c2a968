"""job.yaml: what the owner asks for, as types, with every default and bound in one place.

- No job.yaml (a lone file) means the defaults: CSV when the name ends in `.csv`, else files.
- The frozen job (`FrozenJob`) is the job with its dataset listed by generation; from then on nothing
  is read from the inbox but exactly these objects.
- The trainer's image is pinned by digest and approved by the operator, or the job is refused.

Reading the file itself is `rules.job_file`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from sealtrain.rules.errors import RefusedError
from sealtrain.rules.order import Format, Scalar
from sealtrain.rules.uploads import Upload

LONGEST_RUN_S = 7 * 24 * 3600
GIB = 1024**3
SPOT_ATTEMPTS = 3
"""Of a job for Spot machines that does not say how many."""

_IMAGE = re.compile(r"[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}")

Mode = Literal["on-demand", "spot", "reservation", "flex-start", "calendar"]
"""All ways that Google has; what a shape cannot do is refused by rules/shapes.py, with the reason."""


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wanted capacity; `technology` empty means the shape's own."""

    shape: str = "n2d-standard-2"
    mode: Mode = "on-demand"
    technology: str = ""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ends of a run: time of each VM, worst-case cost of all attempts, and what the trainer may use.

    Zero for `memory_bytes` means half of the machine's memory; `attempts`: see `Job.most_attempts`.
    """

    seconds: Annotated[int, msgspec.Meta(ge=60, le=LONGEST_RUN_S)] = 3600
    cost_usd: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 10.0
    disk_bytes: Annotated[int, msgspec.Meta(ge=1024**2, le=1024 * GIB)] = 4 * GIB
    memory_bytes: Annotated[int, msgspec.Meta(ge=0, le=1024 * GIB)] = 0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """job.yaml. `trainer` empty means the deployment's; `dataset` pins the dataset's id.

    `source: forget` removes the upload once its sealed copy was read back and compared; the sealed copy goes
    with the run, so the owner must have another.
    """

    trainer: str = ""
    format: Format = "csv"
    arguments: dict[str, Scalar | list[Scalar]] = msgspec.field(default_factory=dict)
    tee: Literal["required", "none"] = "required"
    machine: Machine = Machine()
    limits: Limits = Limits()
    dataset: Annotated[str, msgspec.Meta(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    source: Literal["keep", "forget"] = "keep"

    @property
    def most_attempts(self) -> int:
        """How many attempts there may be without a person, the first included; each needs the source."""
        if self.limits.attempts is not None:
            return self.limits.attempts
        return SPOT_ATTEMPTS if self.machine.mode == "spot" and self.source == "keep" else 1


class SourceObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object of the dataset as it was admitted; `path` is its place in the dataset."""

    name: str
    path: str
    generation: str
    size: int
    crc32c: str


class FrozenJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The job as admitted: image settled, limits settled, dataset listed. `expires`: epoch s.

    `manifest` is there when the owner sealed the dataset before upload: then `objects` are its parts.
    `upload` names the object that started the run, and which attempt at it this is.
    """

    run: str
    job: Job
    image: str
    image_digest: str
    bucket: str
    objects: tuple[SourceObject, ...]
    memory_bytes: int
    worst_case_usd: float
    admitted_at: str
    expires: int
    manifest: SourceObject | None = None
    upload: Upload | None = None


def default_job(object_name: str) -> Job:
    """The job of a lone file."""
    return Job(format="csv" if object_name.lower().endswith(".csv") else "files")


def settle_image(job: Job, default: str, approved: tuple[str, ...]) -> tuple[str, str]:
    """The image reference and digest of a job. Raises RefusedError unless pinned and approved."""
    image = job.trainer or default
    if not _IMAGE.fullmatch(image):
        raise RefusedError(
            "the trainer's image is not pinned by digest",
            code="image_not_pinned",
            field="trainer",
            got=image or "nothing",
            expected="HOST/PATH@sha256: and 64 hex digits",
            remedy="name the image by the digest that was pushed",
        )
    digest = image.partition("@")[2]
    if digest not in approved:
        raise RefusedError(
            "the trainer's image is not approved in this deployment",
            code="image_not_approved",
            field="trainer",
            got=digest,
            expected=f"one of {', '.join(approved) or 'none: no image is approved'}",
            remedy="ask the operator to approve this digest",
        )
    return image, digest
