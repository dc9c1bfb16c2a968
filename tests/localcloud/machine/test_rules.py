"""Which instances can exist, each rule both ways."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from localcloud.machine.catalog import SHAPES, find_image
from localcloud.machine.rules import RuleError, check_instance

SPACE = "projects/confidential-space-images/global/images/family/confidential-space"
UBUNTU = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
DLVM = "projects/deeplearning-platform-release/global/images/family/common-cpu"
STOP = {"onHostMaintenance": "TERMINATE"}
FLEX = {
    **STOP,
    "provisioningModel": "FLEX_START",
    "maxRunDuration": {"seconds": "3600"},
    "instanceTerminationAction": "DELETE",
}
RESTARTS = {**FLEX, "automaticRestart": True}
SPOT = {**STOP, "provisioningModel": "SPOT"}
HELD = {"consumeReservationType": "SPECIFIC_RESERVATION", "key": "k", "values": ["r"]}


def judge(shape: str, kind: str, zone: str, scheduling: dict[str, Any], image: str, held: Any = None) -> None:
    body: dict[str, Any] = {"scheduling": scheduling}
    if kind:
        body["confidentialInstanceConfig"] = {"confidentialInstanceType": kind}
    if held:
        body["reservationAffinity"] = held
    found = find_image(image)
    assert found is not None
    check_instance(body, SHAPES[shape], zone, found, 30)


@pytest.mark.parametrize(
    ("shape", "kind", "zone", "scheduling", "image", "held"),
    [
        ("n2d-standard-4", "SEV", "us-central1-a", {}, SPACE, None),  # live migration: n2d with SEV
        ("n2d-standard-4", "SEV", "us-central1-a", STOP, SPACE, HELD),
        ("n2d-standard-4", "SEV_SNP", "us-central1-a", STOP, UBUNTU, None),
        ("c3-standard-4", "TDX", "us-central1-a", STOP, SPACE, None),
        ("a3-highgpu-1g", "TDX", "us-central1-a", FLEX, SPACE, None),
        ("a3-highgpu-1g", "TDX", "europe-west4-c", SPOT, SPACE, None),
        ("g4-standard-48", "SEV", "us-central1-b", STOP, UBUNTU, HELD),
        ("n2d-standard-4", "", "us-central1-a", {}, DLVM, None),
    ],
)
def test_what_exists_is_accepted(
    shape: str, kind: str, zone: str, scheduling: dict[str, Any], image: str, held: Any
) -> None:
    """The documented combinations pass."""
    judge(shape, kind, zone, scheduling, image, held)


@pytest.mark.parametrize(
    ("shape", "kind", "zone", "scheduling", "image", "held", "message"),
    [
        ("a2-highgpu-1g", "SEV_SNP", "us-central1-a", STOP, UBUNTU, None, "does not support"),
        ("a2-highgpu-1g", "SEV", "us-central1-a", STOP, DLVM, None, "SEV compatible image"),
        ("n2d-standard-4", "SEV_SNP", "us-central1-a", STOP, SPACE, None, "SEV_SNP compatible image"),
        ("n2d-standard-4", "SEV_SNP", "us-east1-b", STOP, UBUNTU, None, "not available in zone"),
        ("n2d-standard-4", "SEV_SNP", "us-central1-a", STOP, UBUNTU, HELD, "cannot consume a reservation"),
        ("c3-standard-4", "TDX", "us-central1-a", STOP, SPACE, HELD, "cannot consume a reservation"),
        ("c3-standard-4", "SEV", "us-central1-a", STOP, SPACE, None, "does not support"),
        ("c2d-standard-4", "SEV", "us-central1-a", {}, SPACE, None, "must use TERMINATE"),
        ("n2d-standard-4", "CCA", "us-central1-a", STOP, UBUNTU, None, "CCA"),
        ("a3-highgpu-1g", "TDX", "us-central1-b", FLEX, SPACE, None, "does not exist in zone"),
        ("a3-highgpu-1g", "TDX", "us-central1-a", STOP, SPACE, None, "SPOT or FLEX_START only"),
        ("a3-highgpu-1g", "SEV", "us-central1-a", FLEX, SPACE, None, "does not support"),
        ("g4-standard-48", "TDX", "us-central1-b", STOP, UBUNTU, None, "does not support"),
        ("n2d-standard-4", "SEV", "us-central1-a", FLEX, SPACE, None, "FLEX_START is not supported"),
        ("a3-highgpu-1g", "TDX", "us-central1-a", RESTARTS, SPACE, None, "automatic"),
        ("n2d-standard-4", "SEV", "us-central1-a", SPOT, SPACE, HELD, "specific reservation"),
        ("g4-standard-48", "", "us-central1-b", {}, UBUNTU, None, "live migration"),
    ],
)
def test_what_does_not_exist_is_refused(
    shape: str, kind: str, zone: str, scheduling: dict[str, Any], image: str, held: Any, message: str
) -> None:
    """Each with the field, or the reason, in the message."""
    with pytest.raises(RuleError, match=message):
        judge(shape, kind, zone, scheduling, image, held)


@pytest.mark.parametrize(
    ("scheduling", "message"),
    [
        ({**FLEX, "maxRunDuration": {"seconds": "599"}}, "maxRunDuration"),
        ({**FLEX, "maxRunDuration": {"seconds": "604801"}}, "maxRunDuration"),
        ({k: v for k, v in FLEX.items() if k != "maxRunDuration"}, "maxRunDuration"),
        ({k: v for k, v in FLEX.items() if k != "instanceTerminationAction"}, "instanceTerminationAction"),
    ],
)
def test_flex_start_is_bounded(scheduling: dict[str, Any], message: str) -> None:
    """600 to 604,800 seconds, and a termination action."""
    with pytest.raises(RuleError, match=message):
        judge("a3-highgpu-1g", "TDX", "us-central1-a", scheduling, SPACE)


@pytest.mark.parametrize(
    ("scheduling", "message"),
    [
        ({"maxRunDuration": {"seconds": 29}, "instanceTerminationAction": "DELETE"}, "30 to"),
        ({"maxRunDuration": {"seconds": 60}}, "instanceTerminationAction is required"),
        ({"instanceTerminationAction": "DELETE"}, "needs SPOT"),
    ],
)
def test_a_run_duration_needs_its_action(scheduling: dict[str, Any], message: str) -> None:
    """Both or neither, within bounds."""
    with pytest.raises(RuleError, match=message):
        judge("n2d-standard-4", "SEV", "us-central1-a", {**STOP, **scheduling}, SPACE)


@pytest.mark.parametrize(
    ("kind", "seconds", "message"),
    [
        ("FLEX_START", 0, ""),
        ("FLEX_START", 90, ""),
        ("FLEX_START", 7200, ""),
        ("FLEX_START", 89, "0 or 90 to 7200"),
        ("FLEX_START", 7201, "0 or 90 to 7200"),
        ("SPOT", 90, "only instances with FLEX_START"),
    ],
)
def test_the_wait_for_capacity_is_bounded(kind: str, seconds: int, message: str) -> None:
    """requestValidForDuration: 0, or 90 to 7,200 seconds, of flex-start only."""
    scheduling = FLEX if kind == "FLEX_START" else SPOT
    body = {"scheduling": scheduling, "params": {"requestValidForDuration": {"seconds": seconds}}}
    image = find_image(UBUNTU)
    assert image is not None
    with pytest.raises(RuleError, match=message) if message else nullcontext():
        check_instance(body, SHAPES["a3-highgpu-1g"], "us-central1-a", image, 30)


def test_a_confidential_gpu_needs_a_larger_disk() -> None:
    """30 GB or more; without the confidential type the image's size does."""
    image = find_image(SPACE)
    assert image is not None
    plain = {"scheduling": FLEX}
    body = {**plain, "confidentialInstanceConfig": {"confidentialInstanceType": "TDX"}}
    check_instance(body, SHAPES["a3-highgpu-1g"], "us-central1-a", image, 30)
    check_instance(plain, SHAPES["a3-highgpu-1g"], "us-central1-a", image, 11)
    with pytest.raises(RuleError, match="boot disk of 30 GB"):
        check_instance(body, SHAPES["a3-highgpu-1g"], "us-central1-a", image, 29)


def test_the_bare_flag_means_sev() -> None:
    """enableConfidentialCompute alone is judged as SEV."""
    image = find_image(DLVM)
    assert image is not None
    body = {"confidentialInstanceConfig": {"enableConfidentialCompute": True}}
    with pytest.raises(RuleError, match="SEV compatible image"):
        check_instance(body, SHAPES["n2d-standard-4"], "us-central1-a", image, 30)
