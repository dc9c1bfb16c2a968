"""Which combinations of an instance's fields exist. Each rule raises RuleError, Google's 400.

Sources: Google's pages on supported configurations, Confidential VM with GPU, flex-start and Spot.
The wording is Google's only for the image rule; elsewhere it is ours, so callers must not parse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.machine.catalog import Image, Shape

Json = Mapping[str, Any]
_SNP_ZONES = frozenset(
    f"{region}-{letter}"
    for region in ("asia-southeast1", "europe-west3", "europe-west4", "us-central1")
    for letter in "abc"
)
_SERIES = {"SEV": {"n2d", "c2d", "c3d", "c4d", "g4"}, "SEV_SNP": {"n2d"}, "TDX": {"c3", "a3"}}
_LIVE_MIGRATION = {("SEV", "n2d"), ("SEV", "c3d")}
FLEX_MIN_S, FLEX_MAX_S = 600, 604_800
GPU_DISK_GB = 30  # Confidential VM with GPU
WAIT_MIN_S, WAIT_MAX_S = 90, 7_200
_RUN_MIN_S, _RUN_MAX_S = 30, 10_368_000


class RuleError(Exception):
    """The instance cannot exist; the message names the field."""


def confidential_type(body: Json) -> str:
    """SEV, SEV_SNP, TDX, … or "" for an ordinary machine. The bare flag means SEV."""
    config = body.get("confidentialInstanceConfig") or {}
    named = str(config.get("confidentialInstanceType") or "")
    return named or ("SEV" if config.get("enableConfidentialCompute") else "")


def model(body: Json) -> str:
    """STANDARD, SPOT, FLEX_START or RESERVATION_BOUND."""
    scheduling = body.get("scheduling") or {}
    default = "SPOT" if scheduling.get("preemptible") else "STANDARD"
    return str(scheduling.get("provisioningModel") or default)


def run_seconds(body: Json) -> int | None:
    """maxRunDuration in seconds, or None."""
    duration = (body.get("scheduling") or {}).get("maxRunDuration")
    return None if duration is None else int(duration.get("seconds", 0))


def check_instance(body: Json, shape: Shape, zone: str, image: Image, disk_gb: int) -> None:
    """All rules on one instance that boots from `image` on a disk of `disk_gb`."""
    if not shape.offered_in(zone):
        raise RuleError(f"Machine type {shape.name} does not exist in zone {zone}.")
    _check_confidential(body, shape, zone, image, disk_gb)
    _check_model(body, shape)
    _check_run_duration(body)
    _check_wait(body)
    check_offered(shape, model(body))


def check_offered(shape: Shape, provisioning: str) -> None:
    """Confidential VM with GPU: a3-highgpu-1g is neither sold on demand nor can it be reserved."""
    if shape.name == "a3-highgpu-1g" and provisioning not in ("SPOT", "FLEX_START"):
        raise RuleError(
            "Machine type a3-highgpu-1g is available with provisioning model SPOT or FLEX_START only."
        )


def _check_confidential(body: Json, shape: Shape, zone: str, image: Image, disk_gb: int) -> None:
    kind = confidential_type(body)
    if not kind:
        return
    if kind not in _SERIES:
        raise RuleError(f"Confidential instance type {kind} is not available.")
    if f"{kind}_CAPABLE" not in image.features:
        raise RuleError(
            f"Confidential Instance Config can only be set when using an {kind} compatible image."
        )
    if shape.series not in _SERIES[kind]:
        raise RuleError(f"Machine type {shape.name} does not support confidential instance type {kind}.")
    if kind == "SEV_SNP" and zone not in _SNP_ZONES:
        raise RuleError(f"Confidential instance type SEV_SNP is not available in zone {zone}.")
    if shape.accelerator and disk_gb < GPU_DISK_GB:
        raise RuleError(
            f"Confidential instances with a GPU need a boot disk of {GPU_DISK_GB} GB or more, got {disk_gb}."
        )
    if kind in ("SEV_SNP", "TDX") and reserves(body):
        raise RuleError(f"Confidential instances of type {kind} cannot consume a reservation.")
    maintenance = (body.get("scheduling") or {}).get("onHostMaintenance", "MIGRATE")
    if (kind, shape.series) not in _LIVE_MIGRATION and maintenance != "TERMINATE":
        raise RuleError(
            f"Invalid value for field 'resource.scheduling.onHostMaintenance': '{maintenance}'. "
            f"Confidential instances of {shape.series} with {kind} must use TERMINATE."
        )


def reserves(body: Json) -> bool:
    """Whether the instance asks for a reservation by name."""
    affinity = body.get("reservationAffinity") or {}
    return (
        affinity.get("consumeReservationType") == "SPECIFIC_RESERVATION" or model(body) == "RESERVATION_BOUND"
    )


def _check_model(body: Json, shape: Shape) -> None:
    scheduling, chosen = body.get("scheduling") or {}, model(body)
    if shape.accelerator and scheduling.get("onHostMaintenance", "MIGRATE") != "TERMINATE":
        raise RuleError("Instances with guest accelerators do not support live migration: set TERMINATE.")
    if chosen in ("SPOT", "FLEX_START"):
        if scheduling.get("automaticRestart"):
            raise RuleError(f"Scheduling must have automaticRestart false with provisioning model {chosen}.")
        if reserves(body):
            raise RuleError(f"Provisioning model {chosen} cannot consume a specific reservation.")
    if chosen == "FLEX_START":
        _check_flex_start(body, shape)
    if scheduling.get("instanceTerminationAction") and chosen == "STANDARD" and not _ends(scheduling):
        raise RuleError(
            "instanceTerminationAction needs SPOT, FLEX_START, maxRunDuration or terminationTime."
        )


def _check_flex_start(body: Json, shape: Shape) -> None:
    seconds = run_seconds(body)
    if not shape.accelerator:
        raise RuleError(f"Provisioning model FLEX_START is not supported for machine type {shape.name}.")
    if seconds is None or not FLEX_MIN_S <= seconds <= FLEX_MAX_S:
        raise RuleError(
            f"scheduling.maxRunDuration: FLEX_START needs {FLEX_MIN_S}..{FLEX_MAX_S} seconds, got {seconds}."
        )
    if not (body.get("scheduling") or {}).get("instanceTerminationAction"):
        raise RuleError("scheduling.instanceTerminationAction is required with FLEX_START.")
    affinity = (body.get("reservationAffinity") or {}).get("consumeReservationType")
    if affinity not in (None, "NO_RESERVATION"):
        raise RuleError(f"reservationAffinity: FLEX_START needs NO_RESERVATION, got {affinity}.")


def _check_run_duration(body: Json) -> None:
    scheduling, seconds = body.get("scheduling") or {}, run_seconds(body)
    if seconds is not None and not _RUN_MIN_S <= seconds <= _RUN_MAX_S:
        raise RuleError(
            f"scheduling.maxRunDuration: expected {_RUN_MIN_S} to {_RUN_MAX_S} seconds, got {seconds}."
        )
    if _ends(scheduling) and not scheduling.get("instanceTerminationAction"):
        raise RuleError(
            "scheduling.instanceTerminationAction is required with maxRunDuration or terminationTime."
        )
    if seconds is not None and scheduling.get("terminationTime"):
        raise RuleError("scheduling: maxRunDuration and terminationTime exclude each other.")


def _check_wait(body: Json) -> None:
    """How long a flex-start instance may wait for room (0, or 90 s to 7,200 s)."""
    wait = (body.get("params") or {}).get("requestValidForDuration")
    if wait is None:
        return
    seconds = int(wait.get("seconds", 0))
    if model(body) != "FLEX_START":
        raise RuleError("params.requestValidForDuration: only instances with FLEX_START wait for capacity.")
    if seconds != 0 and not WAIT_MIN_S <= seconds <= WAIT_MAX_S:
        raise RuleError(
            "params.requestValidForDuration: "
            f"expected 0 or {WAIT_MIN_S} to {WAIT_MAX_S} seconds, got {seconds}."
        )


def _ends(scheduling: Json) -> bool:
    return bool(scheduling.get("maxRunDuration") or scheduling.get("terminationTime"))
