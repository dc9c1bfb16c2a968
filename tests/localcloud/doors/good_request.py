"""A good request of one method: where it goes and what it says. The table of them is in `good`.

`{word}` in a value is what an earlier answer told (`learn`: word → path in the answer).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from localcloud.doors.discovery import Method, document, methods

Json = dict[str, Any]

PROJECT, NUMBER = "demo-project", "100000000001"
P, L = f"projects/{PROJECT}", f"projects/{PROJECT}/locations/us-central1"
OWNER = f"serviceAccount:good-owner@{PROJECT}.iam.gserviceaccount.com"
ACCOUNT = f"good-account@{PROJECT}.iam.gserviceaccount.com"
BUCKET, OBJECT = "good-bucket", "good/object"
PLACE = {
    **{"bucket": BUCKET, "destinationBucket": BUCKET, "sourceBucket": BUCKET, "object": OBJECT},
    **{"sourceObject": OBJECT, "destinationObject": "good/copy", "notification": "{notification}"},
    **{"project": PROJECT, "projectId": PROJECT, "zone": "us-central1-a", "operation": "{operation}"},
    **{"datasetId": "good", "tableId": "good", "jobId": "{job}", "machineType": "n2d-standard-2"},
    **{"instance": "good", "instanceTemplate": "good", "instanceGroupManager": "good"},
    **{"reservation": "good", "resizeRequest": "good", "image": "confidential-space-260800"},
    "family": "confidential-space",
}
SEGMENT = {
    **{"projects": PROJECT, "locations": "us-central1", "cryptoKeyVersions": "1", "roles": "good.role"},
    **{"serviceAccounts": ACCOUNT, "workloadIdentityPools": "good-pool", "providers": "good-provider"},
}
UNLEARNED = {
    "execution": f"{L}/workflows/good/executions/none",
    "challenge": f"{L}/challenges/none",
    "deployment": f"{L}/operations/none",
    "deployed": f"{L}/operations/none",
    "generation": "1",
    "retired": f"{L}/retiredResources/none",
}
POLICY = {"bindings": [{"role": "roles/viewer", "members": [f"serviceAccount:{ACCOUNT}"]}]}


@dataclass(frozen=True)
class Good:
    """A request of one method. `passes`: answers 2xx in its turn."""

    method: str
    body: Json | None = None
    query: Json = field(default_factory=dict)
    place: Json = field(default_factory=dict)  # path parameters other than usual
    learn: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None  # instead of a JSON body, on the upload path
    passes: bool = True

    @property
    def api(self) -> str:
        return self.method.partition(".")[0]

    def path(self, known: dict[str, str]) -> str:
        """Path and query."""
        method = next(m for m in methods(self.method) if m.upload == (self.content is not None))
        path = re.sub(r"\{\+?([^}]+)\}", lambda found: self._part(method, found), _template(method))
        query = urlencode(self.query, doseq=True, safe="{}")
        return filled(path + (f"?{query}" if query else ""), known)

    def _part(self, method: Method, found: re.Match[str]) -> str:
        name = found.group(1)
        if name in self.place:
            return str(self.place[name])
        collections = re.findall(r"([A-Za-z]+)/", method.parameters[name].get("pattern", ""))
        if not collections:
            return quote(PLACE[name], safe="{}")
        return "/".join(f"{word}/{SEGMENT.get(word, 'good')}" for word in collections)


def _template(method: Method) -> str:
    raw: Json = document(method.api)
    for word in method.id.split(".")[1:-1]:
        raw = raw["resources"][word]
    raw = raw["methods"][method.id.rpartition(".")[2]]
    if method.upload:
        return str(raw["mediaUpload"]["protocols"]["simple"]["path"])
    return "/" + str(document(method.api).get("servicePath", "")) + str(raw["path"])


def filled(value: Any, known: dict[str, str]) -> Any:
    """`value` with the words that are known put in."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: {**UNLEARNED, **known}.get(found.group(1), "none"), value)
    if isinstance(value, dict):
        return {key: filled(item, known) for key, item in value.items()}
    return [filled(item, known) for item in value] if isinstance(value, list) else value


def learned(answer: Any, path: str) -> str:
    """What stands at `path` in an answer."""
    for step in path.split("."):
        answer = answer[int(step)] if step.isdigit() else answer[step]
    return str(answer)


def policies(collection: str, *, bindings: Json = POLICY) -> list[Good]:
    """Set, get and test the policy of one kind of resource."""
    return [
        Good(f"{collection}.setIamPolicy", {"policy": bindings}),
        Good(f"{collection}.getIamPolicy", {} if collection == "cloudresourcemanager.projects" else None),
        Good(f"{collection}.testIamPermissions", {"permissions": ["compute.instances.get"]}),
    ]
