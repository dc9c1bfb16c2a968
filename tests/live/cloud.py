"""A real project as the live stories see it, by Google's APIs; or, for a dry run, a printer of its calls.

- Who runs this is the owner and the operator: application default credentials with the rights of both.
- A dry run sends nothing: it prints each call and answers with what the story hopes for.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.errors import CloudError

_LOOK_EVERY_S = 15.0


class Cloud:
    """The few things that a story does."""

    def __init__(self, settings: Settings, *, dry: bool) -> None:
        self.settings, self._dry = settings, dry
        self._api = None if dry else Api(settings)
        self.printed: list[str] = []

    def upload(self, name: str, data: bytes) -> str:
        """Put an object into the inbox; its generation."""
        bucket = names.inbox_bucket(self.settings)
        params = {"uploadType": "media", "name": name}
        path = f"/upload/storage/v1/b/{bucket}/o"
        return str(
            self._call("POST", "storage", path, {"generation": "1"}, data=data, params=params)["generation"]
        )

    def wait_for(self, bucket: str, name: str, hoped: Any, within_s: float) -> Any:
        """A JSON object, once it is there; AssertionError when it does not come in time."""
        path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        deadline = time.monotonic() + within_s
        while True:
            try:
                return self._call("GET", "storage", path, hoped, params={"alt": "media"})
            except CloudError as error:
                if error.status != 404:
                    raise
            assert time.monotonic() < deadline, f"not within {within_s:.0f} s: gs://{bucket}/{name}"
            time.sleep(_LOOK_EVERY_S)

    def execute(self, argument: str) -> str:
        """Start the workflow as a person does; the execution's name."""
        path = f"/v1/{names.workflow(self.settings, names.WORKFLOW_TRAIN)}/executions"
        hoped = {"name": f"{path}/dry"}
        return str(self._call("POST", "workflowexecutions", path, hoped, body={"argument": argument})["name"])

    def machines(self, run: str) -> list[Any]:
        """The run's machines that stand."""
        path = f"/compute/v1/projects/{self.settings.project}/aggregated/instances"
        told = self._call("GET", "compute", path, {}, params={"filter": f"labels.sealtrain-run={run}"})
        return [one for zone in told.get("items", {}).values() for one in zone.get("instances", [])]

    def decrypt(self, run: str) -> int:
        """The status that the release key answers to whoever runs this."""
        path = f"/v1/{names.run_key(self.settings, run)}:decrypt"
        try:
            self._call(
                "POST", "cloudkms", path, CloudError("refused", status=403), body={"ciphertext": "AA=="}
            )
        except CloudError as error:
            return error.status
        return 200

    def remove(self, name: str) -> None:
        """Take an object out of the inbox again."""
        bucket = names.inbox_bucket(self.settings)
        self._call("DELETE", "storage", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", {})

    def _call(self, verb: str, service: str, path: str, hoped: Any, **more: Any) -> Any:
        if self._api is not None:
            return self._api.call(verb, service, path, **more)
        query = "&".join(f"{key}={value}" for key, value in more.get("params", {}).items())
        self.printed.append(f"{verb} https://{service}.googleapis.com{path}{'?' + query if query else ''}")
        if isinstance(hoped, Exception):
            raise hoped
        return hoped
