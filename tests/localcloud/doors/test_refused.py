"""Requests that the schema lets pass and the method refuses, in a project that holds one of everything."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests

from tests.localcloud.conftest import World
from tests.localcloud.doors.good import GONE, GOOD
from tests.localcloud.doors.good_compute import FLEX, MACHINE
from tests.localcloud.doors.good_request import OWNER, Good, Json, L, P, learned
from tests.localcloud.doors.sender import Sender

VARIABLES = {f"V{n}": "" for n in range(21)}
IMAGES = {"project": "confidential-space-images"}
TEMPLATE = {"instanceTemplate": "global/instanceTemplates/good", "targetSize": 0}
HOURS = {"seconds": "3600"}
NOWHERE = {"bucket": "good-bucket", "object": "none", "generation": "1"}
SPECIFIC = {"consumeReservationType": "SPECIFIC_RESERVATION"}
LATE = "2099-01-01T00:00:00Z"
SHAPE = {"count": "1", "instanceProperties": {"machineType": "n2d-standard-2"}}
_ROOT = MACHINE["disks"][0]
DISK = [{**_ROOT, "initializeParams": {**_ROOT["initializeParams"], "diskSizeGb": "1"}}]
_FUNCTIONS = "cloudfunctions.projects.locations.functions"
_REPOSITORIES = "artifactregistry.projects.locations.repositories"
_WORKFLOWS = "workflows.projects.locations"
_POOLS = "iam.projects.locations.workloadIdentityPools"
_POOL = "projects/demo-project/locations/global/workloadIdentityPools/none"
_ELSEWHERE = {"serviceAccountEmail": "none@other.iam.gserviceaccount.com"}
_SOMETIMES = {
    "role": "roles/viewer",
    "members": ["allUsers"],
    "condition": {"title": "t", "expression": "true"},
}
_RESIZE = "compute.instanceGroupManagerResizeRequests"


def _instance(**fields: object) -> Good:
    return Good("compute.instances.insert", {**MACHINE, "name": "other", **fields})


def _function(name: str, build: Json = {}, service: Json = {}) -> Good:  # noqa: B006
    whole = next(good for good in GOOD if good.method == f"{_FUNCTIONS}.create").body or {}
    body = {
        "buildConfig": {**whole["buildConfig"], **build},
        "serviceConfig": {**whole["serviceConfig"], **service},
    }
    return Good(f"{_FUNCTIONS}.create", body, {"functionId": name})


def _reservation(**fields: object) -> Good:
    return Good("compute.reservations.insert", {"name": "other", "specificReservation": SHAPE, **fields})


def _template(**fields: object) -> Good:
    return Good("compute.instanceTemplates.insert", {"name": "other", "properties": {**FLEX, **fields}})


def _again(method: str, **query: str) -> Good:
    """The good request of this method once more, with other parameters."""
    good = next(good for good in GOOD if good.method == method)
    return replace(good, query={**good.query, **query})


def _workflow(**fields: object) -> Good:
    return Good("workflows.projects.locations.workflows.create", fields, {"workflowId": "other"})


REFUSED = [
    (Good("bigquery.tabledata.list", query={"startIndex": "-1"}), 400, "startIndex"),
    (Good("compute.machineTypes.get", place={"machineType": "none"}), 404, "none"),
    (Good("compute.images.get", place={**IMAGES, "image": "none"}), 404, "none"),
    (Good("compute.instances.list", place={"project": "other"}), 404, "projects/other"),
    (Good("compute.instances.simulateMaintenanceEvent"), 400, "expected RUNNING"),
    (_instance(disks=DISK), 400, "cannot be smaller"),
    (_instance(metadata={"items": [{"key": "a", "value": "x" * 262_145}]}), 400, "too large"),
    (_instance(reservationAffinity={**SPECIFIC, "key": "x"}), 400, "key must"),
    (
        _instance(**{**FLEX, "reservationAffinity": {"consumeReservationType": "ANY_RESERVATION"}}),
        400,
        "needs NO_RESERVATION",
    ),
    (
        _instance(**{**FLEX, "scheduling": {**FLEX["scheduling"], "terminationTime": LATE}}),
        400,
        "exclude each other",
    ),
    (_reservation(deleteAfterDuration=HOURS, deleteAtTime=LATE), 400, "exclude each other"),
    (_reservation(deleteAtTime="2000-01-01T00:00:00Z"), 400, "in the past"),
    (_reservation(specificReservation={**SHAPE, "count": "0"}), 400, "specificReservation.count"),
    (_reservation(specificReservation={"count": "1"}), 400, "is not offered"),
    (Good("logging.entries.list", {"resourceNames": []}), 400, "resourceNames"),
    (_again("compute.instanceTemplates.insert"), 409, "good"),
    (
        Good(
            "workflowexecutions.projects.locations.workflows.executions.get",
            place={"name": f"{L}/workflows/good/executions/none"},
        ),
        404,
        "none",
    ),
    (
        Good("cloudfunctions.projects.locations.operations.get", place={"name": f"{L}/operations/none"}),
        404,
        "none",
    ),
    (_function("other", service=_ELSEWHERE), 404, "none@other"),
    (
        Good("iam.projects.serviceAccounts.get", place={"name": "projects/-/serviceAccounts/none@x"}),
        404,
        "none@x",
    ),
    (Good("iam.projects.roles.create", {"roleId": "good.role", "role": {}}), 409, "good.role"),
    (
        Good("cloudresourcemanager.projects.setIamPolicy", {"policy": {"bindings": [_SOMETIMES]}}),
        400,
        "policy version 3",
    ),
    (_again(f"{_POOLS}.create"), 409, "good-pool"),
    (_again(f"{_POOLS}.create", workloadIdentityPoolId="gcp-x"), 400, "workloadIdentityPoolId"),
    (_again(f"{_POOLS}.providers.create"), 409, "good-provider"),
    (Good(f"{_POOLS}.get", place={"name": _POOL}), 404, "none"),
    (_again(f"{_REPOSITORIES}.create"), 409, "repository"),
    (Good(f"{_REPOSITORIES}.create", {"format": "MAVEN"}, {"repositoryId": "other"}), 400, "DOCKER"),
    (Good(f"{_REPOSITORIES}.get", place={"name": f"{L}/repositories/none"}), 404, "entity"),
    (Good("storage.objects.compose", {"sourceObjects": [{}]}), 400, "sourceObjects[0].name"),
    (_again(f"{_WORKFLOWS}.workflows.create"), 409, "good"),
    (_again(f"{_WORKFLOWS}.workflows.create", workflowId="-"), 400, "workflow_id"),
    (Good(f"{_WORKFLOWS}.workflows.get", place={"name": f"{L}/workflows/none"}), 404, "none"),
    (Good(f"{_WORKFLOWS}.operations.get", place={"name": f"{L}/operations/none"}), 404, "none"),
    (Good("pubsub.projects.subscriptions.acknowledge", {"ackIds": []}), 400, "ackIds"),
    (
        Good("compute.instanceGroupManagers.insert", {**TEMPLATE, "name": "other", "targetSize": -1}),
        400,
        "targetSize",
    ),
    (_template(machineType=""), 400, "properties.machineType"),
    (_template(disks=[]), 400, "properties.disks"),
    (_template(networkInterfaces=[]), 400, "properties.networkInterfaces"),
    (Good(f"{_RESIZE}.insert", {"name": "", "resizeBy": 1}), 400, "name"),
    (Good(f"{_RESIZE}.insert", {"name": "other"}), 400, "Exactly one"),
    (Good(f"{_RESIZE}.insert", {"name": "other", "resizeBy": 100_000}), 400, "resizeBy"),
    (Good("cloudkms.projects.locations.keyRings.list", query={"pageSize": -1}), 400, "pageSize"),
    (Good("logging.entries.list", {"resourceNames": [P], "pageSize": -1}), 400, "pageSize"),
    (Good("logging.entries.list", {"resourceNames": [P], "filter": "(severity>=ERROR"}), 400, "expected"),
    (Good("logging.entries.list", {"resourceNames": [P], "filter": "(severity>=ERROR ("}), 400, "expected"),
    (Good("iam.projects.roles.create", {"roleId": "a-b", "role": {}}), 400, "roleId"),
    (Good("iam.roles.get", place={"name": "roles/none"}), 404, "roles/none"),
    (Good("iam.projects.roles.get", place={"name": f"{P}/roles/none"}), 404, "none"),
    (Good("cloudresourcemanager.projects.get", place={"name": "projects/-"}), 404, "projects/-"),
    (
        Good(
            "iam.projects.locations.workloadIdentityPools.providers.patch",
            {"displayName": "x"},
            {"updateMask": "disabled"},
        ),
        400,
        "updateMask",
    ),
    (_function("Bad_Id"), 400, "function_id"),
    (_function("good"), 409, "exists"),
    (_function("other", build={"runtime": "nodejs20"}), 400, "python3"),
    (_function("other", service={"timeoutSeconds": 4000}), 400, "timeoutSeconds"),
    (_function("other", build={"source": {"storageSource": NOWHERE}}), 404, "gs://good-bucket/none"),
    (
        Good(f"{_REPOSITORIES}.create", {"format": "DOCKER"}, {"repositoryId": "B_"}),
        400,
        "repository_id",
    ),
    (Good("storage.objects.list", query={"softDeleted": "true", "versions": "true"}), 400, "softDeleted"),
    (
        Good(
            "storage.notifications.insert",
            {"topic": f"//pubsub.googleapis.com/{P}/topics/good", "payload_format": "XML"},
        ),
        400,
        "payload_format",
    ),
    (_workflow(sourceContents=""), 400, "source_contents"),
    (_workflow(sourceContents="#" * 200_000), 400, "source_contents"),
    (_workflow(sourceContents="- a: {return: 1}", userEnvVars=VARIABLES), 400, "user_env_vars"),
    (
        Good(
            "confidentialcomputing.projects.locations.challenges.verifyAttestation",
            {},
            place={"challenge": f"{L}/challenges/none"},
        ),
        404,
        "Challenge",
    ),
]


@pytest.fixture(scope="module")
def owner(world: World) -> Sender:
    """An owner of a project in which every good request but the deletions was made."""
    world.grant("projects/demo-project", "roles/owner", OWNER)
    sender = Sender(world, OWNER)
    for good in GOOD[: -len(GONE)]:
        if good.api == "storage":
            world.cloud.clock.advance(2)
        answer = sender.send(good)
        for word, path in good.learn.items():
            sender.known[word] = learned(answer.json(), path)
    return sender


@pytest.mark.parametrize(("bad", "code", "named"), REFUSED, ids=lambda one: getattr(one, "method", str(one)))
def test_what_the_method_cannot_do_is_refused_by_name(
    owner: Sender, bad: Good, code: int, named: str
) -> None:
    """Google's status, and a message with the word that it is about."""
    answer = owner.send(bad)
    assert answer.status_code == code, answer.text
    assert named in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("name eq go.*", True),
        ("name ne go.*", False),
        ("name = g*d", True),
        ("name : oo", True),
        ("metadata:*", True),
        ("labels.good:*", False),
        ("name.first = good", False),
    ],
)
def test_a_filter_of_compute_says_which_are_listed(owner: Sender, words: str, found: bool) -> None:
    """Regular expressions, stars, parts, and whether there is such a field."""
    answer = owner.send(Good("compute.instances.list", query={"filter": words})).json()
    assert bool(answer.get("items")) is found


def test_a_list_of_compute_comes_in_pages(owner: Sender) -> None:
    """One a page, and the word for the next."""
    first = owner.send(Good("compute.zones.list", query={"maxResults": 1})).json()
    token = first["nextPageToken"]
    second = owner.send(Good("compute.zones.list", query={"maxResults": 1, "pageToken": token})).json()
    assert [len(page["items"]) for page in (first, second)] == [1, 1]
    assert first["items"] != second["items"]


REPEATED = [
    Good("compute.instanceTemplates.insert", {"name": "twice", "properties": FLEX}),
    Good("compute.reservations.insert", {"name": "twice", "specificReservation": SHAPE,
         "deleteAtTime": LATE}),
    Good("compute.instanceTemplates.delete", place={"instanceTemplate": "twice"}),
    Good("compute.reservations.delete", place={"reservation": "twice"}),
]  # fmt: skip


@pytest.mark.parametrize("good", REPEATED, ids=lambda good: good.method)
def test_a_request_with_the_id_of_an_earlier_one_is_that_one(owner: Sender, good: Good) -> None:
    """The answer is the first call's operation; nothing is made or deleted twice."""
    again = f"requestId={hash(good.method) % 2**31:08x}-0000-4000-8000-000000000000"
    first, second = owner.send(good, extra=again), owner.send(good, extra=again)
    assert first.status_code == second.status_code == 200, first.text + second.text
    assert first.json()["name"] == second.json()["name"]


def test_an_instance_takes_what_its_template_says(world: World, owner: Sender) -> None:
    """What the body leaves out is the template's; it is found by name and by number."""
    plain = {key: value for key, value in MACHINE.items() if key != "confidentialInstanceConfig"}
    owner.send(Good("compute.instanceTemplates.insert", {"name": "plain", "properties": plain}))
    place = {"sourceInstanceTemplate": f"{P}/global/instanceTemplates/plain"}
    made = owner.send(Good("compute.instances.insert", {"name": "copied"}, place))
    assert made.status_code == 200, made.text
    by_number = owner.send(Good("compute.instances.get", place={"instance": made.json()["targetId"]}))
    assert (by_number.json()["name"], by_number.json()["machineType"][-14:]) == ("copied", "n2d-standard-2")


@pytest.mark.parametrize(
    ("path", "token", "status", "named"),
    [
        ("/v1/token", "", 501, "does not imitate GET /v1/token"),
        ("/compute/v2/nothing", "", 501, "does not imitate"),
        ("/storage/v1/b?project=demo-project", "Bearer rubbish", 401, "credentials"),
    ],
)
def test_what_is_not_served_or_not_signed_for_is_refused(
    world: World, path: str, token: str, status: int, named: str
) -> None:
    """501 with the path, 401 for a token that nobody gave."""
    headers = {"Authorization": token} if token else {}
    answer = requests.get(world.cloud.endpoint + path, headers=headers, timeout=10)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text
