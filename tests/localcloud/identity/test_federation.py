"""What a workload identity provider makes of a token's claims."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.identity.federation import FederationError, check, members

POOL = "projects/1/locations/global/workloadIdentityPools/attested"
BASE = f"//iam.googleapis.com/{POOL}"
DIGEST = "sha256:" + "a" * 64
CLAIMS: dict[str, Any] = {
    "sub": "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i",
    "swname": "CONFIDENTIAL_SPACE",
    "dbgstat": "disabled-since-boot",
    "google_service_accounts": ["workload@p.iam.gserviceaccount.com"],
    "submods": {
        "container": {"image_digest": DIGEST},
        "confidential_space": {"support_attributes": ["LATEST", "STABLE", "USABLE"]},
        "gce": {"instance_id": "42"},
    },
}
MAPPING = {
    "google.subject": '"vm::" + assertion.submods.gce.instance_id',
    "attribute.image_digest": "assertion.submods.container.image_digest",
}
CONDITION = (
    "assertion.swname == 'CONFIDENTIAL_SPACE' && "
    "'STABLE' in assertion.submods.confidential_space.support_attributes && "
    "assertion.google_service_accounts.exists(a, a == 'workload@p.iam.gserviceaccount.com') && "
    f"attribute.image_digest in ['{DIGEST}'] && google.subject.startsWith('vm::')"
)


def test_a_token_becomes_members() -> None:
    """One principal, and a set per attribute and for the whole pool."""
    principal, sets = members(POOL, MAPPING, CONDITION, CLAIMS)
    assert principal == f"principal:{BASE}/subject/vm::42"
    assert sets == [f"principalSet:{BASE}/attribute.image_digest/{DIGEST}", f"principalSet:{BASE}/*"]


def test_groups_become_sets() -> None:
    """google.groups is a list; each entry is a set."""
    mapping = {**MAPPING, "google.groups": "assertion.google_service_accounts"}
    _, sets = members(POOL, mapping, "", CLAIMS)
    assert f"principalSet:{BASE}/group/workload@p.iam.gserviceaccount.com" in sets


@pytest.mark.parametrize(
    "change",
    [
        {"swname": "GCE"},
        {"submods": {**CLAIMS["submods"], "confidential_space": {}}},  # debug images have no such claim
        {"submods": {**CLAIMS["submods"], "container": {"image_digest": "sha256:" + "b" * 64}}},
        {"google_service_accounts": []},
    ],
)
def test_a_condition_that_is_false_or_fails_refuses(change: dict[str, Any]) -> None:
    """A missing claim counts as false."""
    with pytest.raises(FederationError, match="rejected by the attribute condition"):
        members(POOL, MAPPING, CONDITION, {**CLAIMS, **change})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({**MAPPING, "attribute.x": "assertion.nothing"}, "attribute.x"),
        ({**MAPPING, "attribute.x": "assertion.submods"}, "STRING"),
        ({"google.subject": "assertion.sub + assertion.sub + assertion.sub"}, "127 bytes"),
    ],
)
def test_a_mapping_that_gives_no_text_refuses(mapping: dict[str, str], message: str) -> None:
    """Missing claims, other types, over-long subjects."""
    with pytest.raises(FederationError, match=message):
        members(POOL, mapping, "", CLAIMS)


@pytest.mark.parametrize(
    ("mapping", "condition", "message"),
    [
        ({}, "", "google.subject"),
        ({**MAPPING, "colour": "assertion.sub"}, "", "colour"),
        ({**MAPPING, "attribute.x": "assertion."}, "", r"attribute\.x"),
        (MAPPING, "assertion.sub ==", "attributeCondition"),
        (MAPPING, "true" + " " * 4096, "4096"),
    ],
)
def test_what_is_not_well_formed_is_refused_beforehand(
    mapping: dict[str, str], condition: str, message: str
) -> None:
    """At the provider's creation, naming the field."""
    with pytest.raises(ValueError, match=message):
        check(mapping, condition)
