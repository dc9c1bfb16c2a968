"""Which confidential machines exist, where, how they may be had, and what is refused with a reason.

Grades: B a page of Google's documentation, C a third party's record of a real run or catalogue, D
background knowledge. Sources:
- SUPP: "Confidential VM, supported configurations", as of 2026-04-08 (B).
- CGPU: "Create a Confidential VM instance with GPU", as of 2026-04-08 (B).
- CONS: "Choose a consumption option", as of 2026-04-06 (B).
- SPACE: Confidential Space runs on SEV and TDX only; its launcher takes no GPU but the H100 of
  a3-highgpu-1g (release note of 2026-04-29 and launcher source of 2026-08-21; C).
- CAT: zones of n2d-standard machines as in skypilot-org/skypilot-catalog, catalogs/v9/gcp/vms.csv at
  2c3d7ea (C).

Rules: everything a shape cannot do is refused here, before any call, with the nearest that can.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealtrain.rules.errors import UnsupportedError

Technology = Literal["SEV", "TDX"]
GIB = 1024**3
DATASET_SHARE = 0.25
"""Of the machine's memory, what a dataset may fill: the trainer needs the rest."""


class Shape(msgspec.Struct, frozen=True):
    """A machine type this product can train on; `zones` are full zone names."""

    name: str
    technology: Technology
    vcpus: int
    memory_bytes: int
    modes: tuple[str, ...]
    zones: tuple[str, ...]
    gpu: str
    min_cpu_platform: str
    boot_disk_gib: int
    source: str


_N2D_REGIONS = {
    "abc": (
        "africa-south1 asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 "
        "asia-south2 asia-southeast1 asia-southeast2 australia-southeast1 australia-southeast2 "
        "europe-central2 europe-north1 europe-southwest1 europe-west10 europe-west12 europe-west2 "
        "europe-west3 europe-west4 europe-west6 europe-west8 europe-west9 me-central1 me-central2 "
        "me-west1 northamerica-northeast1 northamerica-northeast2 southamerica-east1 southamerica-west1 "
        "us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4"
    ),
    "bcd": "europe-west1 us-east1",
    "abcf": "us-central1",
}
_N2D_ZONES = tuple(
    f"{region}-{letter}"
    for letters, regions in _N2D_REGIONS.items()
    for region in regions.split()
    for letter in letters
)


def _n2d(vcpus: int) -> Shape:
    return Shape(
        name=f"n2d-standard-{vcpus}",
        technology="SEV",
        vcpus=vcpus,
        memory_bytes=4 * vcpus * GIB,
        modes=("on-demand", "spot", "reservation"),
        zones=_N2D_ZONES,
        gpu="",
        min_cpu_platform="AMD Milan",
        boot_disk_gib=20,
        source="SUPP B (technology, modes), SPACE C, CAT C (zones)",
    )


_SHAPES: tuple[Shape, ...] = (
    *(_n2d(vcpus) for vcpus in (2, 4, 8, 16, 32, 48, 64, 80, 96)),
    Shape(
        name="a3-highgpu-1g",
        technology="TDX",
        vcpus=26,
        memory_bytes=234 * GIB,
        modes=("flex-start", "spot"),
        zones=("europe-west4-c", "us-central1-a", "us-east5-a"),
        gpu="NVIDIA H100 80 GB",
        min_cpu_platform="",
        boot_disk_gib=30,
        source="CGPU B (zones, modes), SPACE C",
    ),
)
SHAPES = {shape.name: shape for shape in _SHAPES}

# What people ask for and the platform does not offer: (reason, nearest that can, source).
_KNOWN_UNSUPPORTED: dict[str, tuple[str, str, str]] = {
    "a2-": (
        "A2 machines are in no confidential configuration: the A100 has no confidential mode",
        "a3-highgpu-1g with TDX, mode flex-start",
        "SUPP B",
    ),
    "g2-": (
        "G2 machines are in no confidential configuration: the L4 has no confidential mode",
        "a3-highgpu-1g with TDX, mode flex-start",
        "SUPP B",
    ),
    "g4-standard-48": (
        "it is a Confidential VM (SEV, RTX PRO 6000), but not in Confidential Space, whose launcher "
        "refuses its GPU: nothing would attest the workload",
        "a3-highgpu-1g with TDX, mode flex-start",
        "SPACE C",
    ),
    "a3-": (
        "of the A3 machines only a3-highgpu-1g is confidential: one GPU, no cluster",
        "a3-highgpu-1g with TDX, mode flex-start",
        "CGPU B",
    ),
    "a4": (
        "no page of Google's offers a confidential A4",
        "a3-highgpu-1g with TDX, mode flex-start",
        "SUPP B",
    ),
    "n2d-": (
        "only the n2d-standard machines of 2 to 96 vCPUs stand in the table",
        "n2d-standard-2 to n2d-standard-96 with SEV",
        "CAT C",
    ),
    "c3-": (
        "TDX on C3 is not in this version's table",
        "n2d-standard-8 with SEV, mode on-demand",
        "SUPP B",
    ),
}
_SPACE_TECHNOLOGIES = {
    "SEV_SNP": "Confidential Space runs on SEV and TDX only (SPACE C); SEV_SNP also takes no reservation and "
    "exists on N2D only (SUPP B)",
    "CCA": "no documentation of it was found",
    "BMSAI": "no documentation of it was found",
}
_CALENDAR = (
    "calendar mode books A4, A3 Ultra, A3 Mega and A3 High with 8 GPUs only, and none of these is a "
    "machine of ours (CONS B)"
)
_MODE_REASONS = {
    ("TDX", "calendar"): _CALENDAR,
    ("SEV", "calendar"): _CALENDAR,
    ("TDX", "reservation"): "TDX machines cannot use reservations (SUPP B)",
    ("TDX", "on-demand"): "a3-highgpu-1g is had by Spot or flex-start only (CGPU B)",
    ("SEV", "flex-start"): "flex-start is for GPU machines",
}


def find_shape(name: str, technology: str, mode: str, region: str) -> Shape:
    """The shape, if it exists with this technology and mode in this region.

    Raises UnsupportedError with the reason and the nearest that can.
    """
    shape = SHAPES.get(name)
    if shape is None:
        raise _unknown(name)
    wanted = technology or shape.technology
    if wanted != shape.technology:
        reason = _SPACE_TECHNOLOGIES.get(wanted, f"{name} is {shape.technology}")
        nearest = f"{name} with {shape.technology}, mode {shape.modes[0]}"
        raise _refused("machine.technology", wanted, reason, nearest)
    if mode not in shape.modes:
        reason = _MODE_REASONS.get((shape.technology, mode), f"{name} is not had by {mode}")
        nearest = f"{name} with {shape.technology}, mode {shape.modes[0]}"
        raise _refused("machine.mode", mode, reason, nearest)
    if not zones_in(shape, region):
        raise _refused(
            "machine.shape",
            f"{name} in {region}",
            f"{name} with {shape.technology} is not in {region} (source: {shape.source})",
            f"a deployment in {', '.join(sorted({z[:-2] for z in shape.zones}))}",
        )
    return shape


def zones_in(shape: Shape, region: str) -> tuple[str, ...]:
    """The shape's zones in a region, in order."""
    return tuple(zone for zone in shape.zones if zone.rpartition("-")[0] == region)


def _unknown(name: str) -> UnsupportedError:
    for prefix, (reason, nearest, source) in _KNOWN_UNSUPPORTED.items():
        if name.startswith(prefix):
            return _refused("machine.shape", name, f"{reason} ({source})", nearest)
    nearest = "n2d-standard-2 with SEV, mode on-demand"
    return _refused("machine.shape", name, "no confidential machine of this name is known", nearest)


def _refused(field: str, got: str, reason: str, nearest: str) -> UnsupportedError:
    return UnsupportedError(
        f"this machine cannot be had: {reason}",
        code="unsupported_shape",
        field=field,
        got=got,
        expected=nearest,
        remedy=f"ask for {nearest}",
    )
