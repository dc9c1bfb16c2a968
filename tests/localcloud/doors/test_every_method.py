"""Every method that is served, by one table: its good request passes, its bad ones are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcloud.doors import DOORS
from localcloud.stand_in import open_doors
from tests.localcloud.conftest import World
from tests.localcloud.doors.good import GOOD
from tests.localcloud.doors.good_request import OWNER, Good, learned
from tests.localcloud.doors.planted import Planted, planted
from tests.localcloud.doors.sender import Sender

HINTS: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "data/method_permissions.json").read_text()
)["methods"]
_CONSUME = ["pubsub.subscriptions.consume"]
# Where the crawled hints are silent or wrong, the method's reference page says:
PERMISSIONS: dict[str, list[str]] = {
    "bigquery.jobs.query": ["bigquery.jobs.create"],
    "bigquery.tabledata.list": ["bigquery.tables.getData"],
    "compute.instanceGroupManagerResizeRequests.list": ["compute.instanceGroupManagers.list"],
    "compute.instances.simulateMaintenanceEvent": ["compute.instances.simulateMaintenanceEvent"],
    "confidentialcomputing.projects.locations.challenges.create": ["confidentialcomputing.challenges.create"],
    "confidentialcomputing.projects.locations.challenges.verifyAttestation": [
        "confidentialcomputing.challenges.verify"
    ],
    "logging.entries.list": ["logging.logEntries.list"],
    "logging.entries.write": ["logging.logEntries.create"],
    "pubsub.projects.subscriptions.acknowledge": _CONSUME,
    "pubsub.projects.subscriptions.modifyAckDeadline": _CONSUME,
    "pubsub.projects.subscriptions.pull": _CONSUME,
    "cloudkms.projects.locations.keyRings.delete": ["cloudkms.keyRings.delete"],
    "storage.objects.restore": ["storage.objects.restore"],
    "storage.projects.serviceAccount.get": ["resourcemanager.projects.get"],
    # The hints carry the service's name in front of the permission's.
    **{
        f"iam.projects.locations.workloadIdentityPools.{method}": [f"iam.{permission}"]
        for method, permission in (
            ("create", "workloadIdentityPools.create"),
            ("get", "workloadIdentityPools.get"),
            ("list", "workloadIdentityPools.list"),
            ("providers.create", "workloadIdentityPoolProviders.create"),
            ("providers.get", "workloadIdentityPoolProviders.get"),
            ("providers.list", "workloadIdentityPoolProviders.list"),
            ("providers.patch", "workloadIdentityPoolProviders.update"),
        )
    },
}
# Answered to everybody: predefined roles, public images; and a list that shows only what the caller may see.
OPEN = {"iam.roles.get", "compute.images.get", "compute.images.getFromFamily", "bigquery.datasets.list"}


@pytest.fixture(scope="module")
def owner(world: World) -> Sender:
    """An account that owns the project."""
    world.grant("projects/demo-project", "roles/owner", OWNER)
    return Sender(world, OWNER)


def test_the_table_has_every_method() -> None:
    """Nothing is served without a row here."""
    open_doors()
    assert {good.method for good in GOOD} == set(DOORS)


@pytest.fixture(scope="module")
def stranger(world: World, owner: Sender) -> Sender:
    """An account without any grant, which knows what the owner knows."""
    return Sender(world, OWNER.replace("owner", "stranger"), owner.known)


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.method)
def test_a_good_request_passes_for_those_who_may(
    world: World, owner: Sender, stranger: Sender, good: Good
) -> None:
    """In the order of the table: refused, naming the permission, to an account without grants; then done."""
    if good.method not in OPEN and not good.method.endswith(".testIamPermissions"):
        refused = stranger.send(good)
        assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED"), good
        wanted = PERMISSIONS.get(good.method) or HINTS[good.method]
        assert any(f"Permission '{one}' denied" in refused.text for one in wanted), refused.text
    if good.api == "storage":
        world.cloud.clock.advance(2)  # its rates of writing
    answer = owner.send(good)
    assert (answer.status_code < 300) == good.passes, answer.text
    for word, path in good.learn.items():
        owner.known[word] = learned(answer.json(), path)


@pytest.mark.parametrize("fault", planted(), ids=str)
def test_a_planted_fault_is_refused_by_name(owner: Sender, fault: Planted) -> None:
    """Google's 400, in Google's shape, naming the field or the parameter."""
    answer = owner.send(fault.good, extra=fault.extra, body=fault.body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, 400), answer.text
    assert error["status"] == "INVALID_ARGUMENT"
    assert fault.named in error["message"]


def test_each_api_has_five_kinds_of_faults() -> None:
    """Unknown, of the wrong type, not of the enum, missing; and the permission, above."""
    kinds: dict[str, set[str]] = {}
    for fault in planted():
        kinds.setdefault(fault.good.api, set()).add(fault.kind)
    assert {api: len(found) for api, found in kinds.items() if len(found) < 4} == {}
    assert {"unknown field", "unknown parameter", "wrong type", "bad enum"} <= set.union(*kinds.values())
