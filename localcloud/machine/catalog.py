"""What can be rented: zones, machine types, boot images. Facts with their day: November 2026.

Sources: Google's "Supported configurations" and "Create a Confidential VM instance with GPU" (2026-04-08),
the release notes of 2026-04-29 (H100) and 2026-08-07 (G4), the shapes on the machine families' pages.
Only what a journey or a refusal needs is here; anything else is an unknown machine type.
"""

from __future__ import annotations

from dataclasses import dataclass

_ZONE_LETTERS = {
    "asia-southeast1": "abc",
    "europe-west1": "bcd",
    "europe-west3": "abc",
    "europe-west4": "abc",
    "us-central1": "abcdf",
    "us-east1": "bcd",
    "us-east4": "abc",
    "us-east5": "abc",
    "us-west1": "abc",
}
ZONES = {f"{region}-{letter}": region for region, letters in _ZONE_LETTERS.items() for letter in letters}


@dataclass(frozen=True)
class Series:
    """A family of machine types. `zones` None: in every zone."""

    cpu: str
    gib_per_vcpu: int
    vcpus: tuple[int, ...]
    zones: frozenset[str] | None = None


@dataclass(frozen=True)
class Shape:
    """One machine type."""

    name: str
    series: str
    vcpus: int
    memory_mib: int
    cpu: str
    accelerator: tuple[str, int] | None = None  # type, count
    zones: frozenset[str] | None = None

    def offered_in(self, zone: str) -> bool:
        """Whether the zone has it."""
        return self.zones is None or zone in self.zones


_SPR = "Intel Sapphire Rapids"
_STANDARD = {
    "n2d": Series("AMD Milan", 4, (2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224)),
    "c2d": Series("AMD Milan", 4, (2, 4, 8, 16, 32, 56, 112)),
    "c3d": Series("AMD Genoa", 4, (4, 8, 16, 30, 60, 90, 180, 360)),
    "c4d": Series("AMD Turin", 4, (2, 4, 8, 16, 32, 48, 64, 96, 192, 384)),
    "c3": Series(_SPR, 4, (4, 8, 22, 44, 88, 176)),
    "e2": Series("Intel Broadwell", 4, (2, 4, 8, 16, 32)),
    "n2": Series("Intel Cascade Lake", 4, (2, 4, 8, 16, 32, 48, 64, 80, 96, 128)),
}
A3_1G_ZONES = frozenset({"europe-west4-c", "us-central1-a", "us-east5-a"})
G4_ZONES = frozenset(
    {
        "us-central1-b", "us-central1-d", "us-central1-f", "us-east5-a", "us-east5-b", "us-east5-c",
        "europe-west1-c", "europe-west4-a", "europe-west4-b",
    }
)  # fmt: skip
_GPU = (
    Shape("a3-highgpu-1g", "a3", 26, 234 << 10, _SPR, ("nvidia-h100-80gb", 1), A3_1G_ZONES),
    Shape("g4-standard-48", "g4", 48, 180 << 10, "AMD Turin", ("nvidia-rtx-pro-6000", 1), G4_ZONES),
    Shape("a2-highgpu-1g", "a2", 12, 85 << 10, "Intel Cascade Lake", ("nvidia-tesla-a100", 1)),
)
SHAPES = {shape.name: shape for shape in _GPU} | {
    f"{name}-standard-{n}": Shape(
        f"{name}-standard-{n}", name, n, n * series.gib_per_vcpu << 10, series.cpu, zones=series.zones
    )
    for name, series in _STANDARD.items()
    for n in series.vcpus
}


@dataclass(frozen=True)
class Image:
    """A public boot image. `features` are guest-OS features."""

    project: str
    name: str
    family: str
    disk_gb: int
    features: tuple[str, ...]
    confidential_space: str = ""  # "", "production" or "debug"
    version: str = ""

    @property
    def path(self) -> str:
        """projects/…/global/images/…"""
        return f"projects/{self.project}/global/images/{self.name}"


_PLAIN = ("UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "GVNIC")
_SPACE = (*_PLAIN, "SEV_CAPABLE", "SEV_LIVE_MIGRATABLE_V2", "TDX_CAPABLE")
_CS = "confidential-space"
IMAGES = (
    Image(f"{_CS}-images", f"{_CS}-260800", _CS, 11, _SPACE, "production", "260800"),
    Image(f"{_CS}-images", f"{_CS}-debug-260800", f"{_CS}-debug", 11, _SPACE, "debug", "260800"),
    Image(
        "ubuntu-os-cloud",
        "ubuntu-2404-noble-amd64-v20261104",
        "ubuntu-2404-lts-amd64",
        10,
        (*_SPACE, "SEV_SNP_CAPABLE"),
    ),
    Image("deeplearning-platform-release", "common-cpu-v20261001", "common-cpu", 50, _PLAIN),
)


def find_image(reference: str) -> Image | None:
    """The image that a `sourceImage` means (by name or by family; path or full address), or None."""
    path = "projects/" + reference.partition("projects/")[2] if "projects/" in reference else reference
    for image in IMAGES:
        family = f"projects/{image.project}/global/images/family/{image.family}"
        if path in (image.path, family):
            return image
    return None
