"""Routes and schemas from Google's discovery documents.

The documents ship inside `google-api-python-client` (a development dependency). `confidentialcomputing`
is missing
there; ours is written after the published proto and lies in `documents/`. Only methods that have a door get a
route: everything else answers 501 with its path, so that a gap shows itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

VERSIONS = {
    "artifactregistry": "v1",
    "bigquery": "v2",
    "cloudfunctions": "v2",
    "cloudkms": "v1",
    "cloudresourcemanager": "v3",
    "cloudscheduler": "v1",
    "compute": "v1",
    "confidentialcomputing": "v1",
    "iam": "v1",
    "logging": "v2",
    "pubsub": "v1",
    "run": "v2",
    "storage": "v1",
    "sts": "v1",
    "workflowexecutions": "v1",
    "workflows": "v1",
}
# Google's own client sends it to jobs.get; the document does not know it and the API takes no notice.
SENT_BY_CLIENTS = {("bigquery", "projection")}
OPEN_TO_ALL = {"alt", "$alt", "$.xgafv", "prettyPrint", "$prettyPrint", "uploadType", "upload_id"}


@dataclass(frozen=True)
class Method:
    """One method of one document."""

    id: str
    api: str
    http: str
    pattern: re.Pattern[str]
    parameters: dict[str, Any]
    request: str | None  # schema name of the body
    upload: bool = False
    download: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        """Path parameters if the (still encoded) path is this method's, else None."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {_NAME[key]: unquote(value) for key, value in found.groupdict().items()}


@cache
def document(api: str) -> dict[str, Any]:
    """The discovery document of an API, parsed."""
    name = f"{api}.{VERSIONS[api]}.json"
    own = files("localcloud.doors") / "documents" / name
    shipped = files("googleapiclient.discovery_cache") / "documents" / name
    parsed: dict[str, Any] = json.loads((own if own.is_file() else shipped).read_bytes())
    return parsed


def methods(method_id: str) -> Iterator[Method]:
    """The routes of one method id: its own path and, where it has them, its upload and download paths."""
    api = method_id.partition(".")[0]
    doc = document(api)
    node: dict[str, Any] = doc
    *resources, last = method_id.split(".")[1:]
    for name in resources:
        node = node["resources"][name]
    raw = node["methods"][last]
    shared = dict(doc.get("parameters", {}))
    parameters = {**shared, **raw.get("parameters", {})}
    request = raw.get("request", {}).get("$ref")
    base = "/" + doc.get("servicePath", "")
    pattern = _pattern(base + raw["path"], parameters)
    yield Method(method_id, api, raw["httpMethod"], pattern, parameters, request)
    for protocol in raw.get("mediaUpload", {}).get("protocols", {}).values():
        path = _pattern(protocol["path"], parameters)
        yield Method(method_id, api, "POST", path, parameters, request, upload=True)
        yield Method(method_id, api, "PUT", path, parameters, request, upload=True)
    if raw.get("supportsMediaDownload"):
        path = _pattern("/download" + base + raw["path"], parameters)
        yield Method(method_id, api, raw["httpMethod"], path, parameters, request, download=True)


_NAME: dict[str, str] = {}  # regex group -> parameter name ("$"-signs and dots cannot be group names)


def _pattern(path: str, parameters: dict[str, Any]) -> re.Pattern[str]:
    pieces = []
    for piece in re.split(r"(\{\+?[^}]+\})", path):
        if not piece.startswith("{"):
            pieces.append(re.escape(piece))
            continue
        name = piece.strip("{}+")
        group = re.sub(r"\W", "_", name)
        _NAME[group] = name
        inner = "[^/]+"
        if piece.startswith("{+"):
            given = parameters[name].get("pattern", "^.+$")
            inner = given.removeprefix("^").removesuffix("$").replace(".*", "[^:]*")
            inner = inner.replace("[^/]+", "[^/:]+")  # a colon begins a custom verb
        pieces.append(f"(?P<{group}>{inner})")
    return re.compile("".join(pieces))
