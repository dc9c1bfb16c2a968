"""What the offline provider answers where Google would decide: names, ids, addresses, in Google's forms.

- Only at apply: in a plan such a value is unknown, as with the real provider, so that nothing in the files
  may rest on knowing it early.
- The same input gives the same values, so that what is made from an applied state can be committed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

NUMBER = "111111111111"
"""The number of every project, and what it says where Google would give one."""

_EMAIL = "{account_id}@{project}.iam.gserviceaccount.com"
_FORMS: dict[str, dict[str, str]] = {
    "google_artifact_registry_repository": {
        "id": "projects/{project}/locations/{location}/repositories/{repository_id}",
        "name": "{repository_id}",
    },
    "google_cloudfunctions2_function": {"id": "projects/{project}/locations/{location}/functions/{name}"},
    "google_compute_network": {"id": "projects/{project}/global/networks/{name}"},
    "google_compute_subnetwork": {"id": "projects/{project}/regions/{region}/subnetworks/{name}"},
    "google_iam_workload_identity_pool": {
        "id": "projects/{project}/locations/global/workloadIdentityPools/{workload_identity_pool_id}",
        "name": "projects/{number}/locations/global/workloadIdentityPools/{workload_identity_pool_id}",
    },
    "google_iam_workload_identity_pool_provider": {
        "name": "projects/{number}/locations/global/workloadIdentityPools/{workload_identity_pool_id}"
        "/providers/{workload_identity_pool_provider_id}",
    },
    "google_kms_crypto_key": {"id": "{key_ring}/cryptoKeys/{name}"},
    "google_kms_key_ring": {"id": "projects/{project}/locations/{location}/keyRings/{name}"},
    "google_logging_project_sink": {
        "writer_identity": "serviceAccount:service-{number}@gcp-sa-logging.iam.gserviceaccount.com",
    },
    "google_monitoring_notification_channel": {"name": "projects/{project}/notificationChannels/{serial}"},
    "google_project": {"number": "{number}"},
    "google_project_iam_custom_role": {
        "id": "projects/{project}/roles/{role_id}",
        "name": "projects/{project}/roles/{role_id}",
    },
    "google_pubsub_subscription": {"id": "projects/{project}/subscriptions/{name}"},
    "google_pubsub_topic": {"id": "projects/{project}/topics/{name}"},
    "google_service_account": {
        "email": _EMAIL,
        "id": "projects/{project}/serviceAccounts/" + _EMAIL,
        "member": "serviceAccount:" + _EMAIL,
        "name": "projects/{project}/serviceAccounts/" + _EMAIL,
    },
    "google_storage_bucket": {"id": "{name}", "url": "gs://{name}"},
    "google_workflows_workflow": {"id": "projects/{project}/locations/{region}/workflows/{name}"},
}


def decided(resource: str, attribute: str, kind: Any, known: dict[str, Any], provider: dict[str, Any]) -> Any:
    """The value of a computed attribute. `known` is what the configuration says of the resource."""
    if isinstance(kind, list):
        return {"list": [], "set": [], "map": {}}.get(kind[0])
    if kind == "bool":
        return False
    serial = int(hashlib.sha256((resource + json.dumps(known, sort_keys=True)).encode()).hexdigest()[:10], 16)
    if kind == "number":
        return serial
    facts = {"project": provider.get("project"), "region": provider.get("region"), **known}
    form = _FORMS.get(resource, {}).get(attribute)
    if form is not None:
        return form.format(number=NUMBER, serial=serial, **facts)
    if attribute in ("project", "region"):
        return facts[attribute]
    return f"{attribute}-{serial}"
