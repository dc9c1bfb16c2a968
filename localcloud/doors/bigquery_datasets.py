"""Datasets: made, read, listed, changed, deleted.

Rules
- `access` entries grant: they become the dataset's allow policy (READER, WRITER, OWNER or a role;
  users, service accounts, IAM members).
- A default key must be granted to BigQuery's agent and lie in the dataset's location.
- A dataset with tables is deleted only with `deleteContents`.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.doors import Answer, Call, door, project
from localcloud.doors.bigquery_engine import engine, quoted
from localcloud.doors.errors import ApiError, condition_not_met, invalid
from localcloud.doors.kms_use import check_grant
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory_source

Json = dict[str, Any]

DATASET = "bigquery.dataset"  # name: dataset id
TABLE = "bigquery.table"  # name: dataset.table
_KEPT = (
    "access",
    "defaultEncryptionConfiguration",
    "defaultPartitionExpirationMs",
    "defaultTableExpirationMs",
    "description",
    "friendlyName",
    "labels",
    "maxTimeTravelHours",
    "storageBillingModel",
)
_ROLES = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}


def dataset_resource(cloud: Cloud, call: Call) -> str:
    """The name that IAM knows the dataset by."""
    return f"projects/{cloud.project}/datasets/{call.params['datasetId']}"


def the_dataset(cloud: Cloud, dataset: str) -> Json:
    """The dataset, or 404."""
    found = cloud.store.get(DATASET, dataset)
    if found is None:
        raise ApiError(404, f"Not found: Dataset {cloud.project}:{dataset}")
    return found


@door("bigquery.datasets.insert", "bigquery.datasets.create", on=project)
def insert(cloud: Cloud, call: Call) -> Json:
    """Make a dataset."""
    body = call.body
    name = str(body.get("datasetReference", {}).get("datasetId", ""))
    if not re.fullmatch(r"\w{1,1024}", name, re.ASCII):
        raise invalid(f'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric (plus underscores).')
    now = milliseconds(cloud)
    dataset: Json = {
        "kind": "bigquery#dataset",
        "id": f"{cloud.project}:{name}",
        "selfLink": f"{cloud.endpoint}/bigquery/v2/projects/{cloud.project}/datasets/{name}",
        "datasetReference": {"projectId": cloud.project, "datasetId": name},
        "location": str(body.get("location") or "US"),
        "creationTime": now,
        "type": "DEFAULT",
        **{field: body[field] for field in _KEPT if field in body},
    }
    if cloud.store.get(DATASET, name) is not None:
        raise ApiError(409, f"Already Exists: Dataset {cloud.project}:{name}", reason="duplicate")
    check_encryption(cloud, dataset.get("defaultEncryptionConfiguration"), dataset["location"])
    engine(cloud).run(f"DROP SCHEMA IF EXISTS {quoted(name)} CASCADE")  # left by a process that died
    engine(cloud).run(f"CREATE SCHEMA {quoted(name)}")
    return _put(cloud, dataset)


@door("bigquery.datasets.get", "bigquery.datasets.get", on=dataset_resource)
def get(cloud: Cloud, call: Call) -> Json:
    """One dataset."""
    return the_dataset(cloud, call.params["datasetId"])


@door("bigquery.datasets.list", None)
def list_datasets(cloud: Cloud, call: Call) -> Json:
    """The datasets that the caller may see."""
    fields = ("kind", "id", "datasetReference", "labels", "location")
    seen = [
        {field: dataset[field] for field in fields if field in dataset}
        for name, dataset in cloud.store.documents(DATASET)
        if cloud.iam.allowed(
            call.caller, "bigquery.datasets.get", f"projects/{cloud.project}/datasets/{name}"
        )
    ]
    return {"kind": "bigquery#datasetList", "datasets": seen}


@door("bigquery.datasets.patch", "bigquery.datasets.update", on=dataset_resource)
def patch(cloud: Cloud, call: Call) -> Json:
    """Change some settings; null removes one."""
    dataset = the_dataset(cloud, call.params["datasetId"])
    wanted = call.headers.get("if-match")
    if wanted and wanted != dataset["etag"]:
        raise condition_not_met(f"If-Match {wanted}")
    for field in _KEPT:
        if field in call.body:
            dataset[field] = call.body[field]
    dataset = {field: value for field, value in dataset.items() if value is not None}
    check_encryption(cloud, dataset.get("defaultEncryptionConfiguration"), dataset["location"])
    return _put(cloud, dataset)


@door("bigquery.datasets.delete", "bigquery.datasets.delete", on=dataset_resource)
def delete(cloud: Cloud, call: Call) -> Answer:
    """Delete a dataset."""
    name = call.params["datasetId"]
    the_dataset(cloud, name)
    tables = [table for table, _ in cloud.store.documents(TABLE, f"{name}.")]
    if tables and not call.params.get("deleteContents"):
        raise ApiError(400, f"Dataset {cloud.project}:{name} is still in use", reason="resourceInUse")
    for table in tables:
        cloud.store.delete(TABLE, table)
    cloud.store.delete(DATASET, name)
    cloud.store.delete("iam.policy", f"projects/{cloud.project}/datasets/{name}")
    engine(cloud).run(f"DROP SCHEMA IF EXISTS {quoted(name)} CASCADE")
    return Answer(204)


def check_encryption(cloud: Cloud, config: Json | None, location: str) -> None:
    """Raise ApiError unless BigQuery's agent may use the key."""
    if config and config.get("kmsKeyName"):
        agent = f"bq-{cloud.number}@bigquery-encryption.iam.gserviceaccount.com"
        check_grant(cloud, config["kmsKeyName"], agent, location, "BigQuery")


def milliseconds(cloud: Cloud) -> str:
    """Now, as BigQuery writes it."""
    return str(int(cloud.clock.now() * 1000))


def _put(cloud: Cloud, dataset: Json) -> Json:
    name = dataset["datasetReference"]["datasetId"]
    dataset["lastModifiedTime"] = milliseconds(cloud)
    dataset["etag"] = f"d{cloud.store.next_number('bigquery.etag')}"
    cloud.store.put(DATASET, name, dataset)
    _grant(cloud, name, dataset.get("access", []))
    return dataset


def _grant(cloud: Cloud, name: str, access: list[Json]) -> None:
    bindings = []
    for entry in access:
        role = _ROLES.get(entry.get("role", ""), entry.get("role"))
        member = entry.get("iamMember")
        email = entry.get("userByEmail")
        if email:
            account = email.endswith(".gserviceaccount.com")
            member = f"{'serviceAccount' if account else 'user'}:{email}"
        if role and member:
            bindings.append({"role": role, "members": [member]})
    if bindings:
        resource = f"projects/{cloud.project}/datasets/{name}"
        cloud.iam.set_policy(resource, {"version": 1, "bindings": bindings})


def _inventory(cloud: Cloud) -> list[Json]:
    return [
        {
            "name": f"projects/{cloud.project}/datasets/{name}",
            "labels": dataset.get("labels", {}),
            "bills": False,
            "created": cloud.clock.timestamp(int(dataset["creationTime"]) / 1000),
        }
        for name, dataset in cloud.store.documents(DATASET)
    ]


inventory_source(DATASET, _inventory)
