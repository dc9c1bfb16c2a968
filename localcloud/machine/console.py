"""What the launcher and the workload say: to the serial console always, to Cloud Logging in small batches.

Log id `confidential-space-launcher`, resource `gce_instance`, text under jsonPayload.MESSAGE
(google/go-tpm-tools, launcher/).
"""

from __future__ import annotations

import queue
import sys
import threading
import uuid
from typing import Any

from localcloud.machine.link import Link, LinkError
from localcloud.machine.told import Told

LOG_ID = "confidential-space-launcher"
_BATCH = 200
_LAST_WORDS_S = 10.0


class Console:
    """One machine's console. `close` waits until what was said has been delivered."""

    def __init__(self, told: Told, link: Link) -> None:
        self._link = link
        self._common = {
            "logName": f"projects/{told.project}/logs/{LOG_ID}",
            "resource": {
                "type": "gce_instance",
                "labels": {
                    "project_id": told.project,
                    "instance_id": told.instance_id,
                    "zone": told.zone,
                },
            },
            "labels": {"instance_name": told.short_name},
        }
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._deliver, name="console", daemon=True)
        self._thread.start()

    def say(self, message: str, severity: str = "INFO", **facts: object) -> None:
        """The launcher's own words."""
        words = " ".join(f"{key}={value}" for key, value in facts.items())
        self.serial(f"{severity} {message} {words}".rstrip())
        self._queue.put({"severity": severity, "jsonPayload": {"MESSAGE": message, **facts}})

    def workload(self, line: str) -> None:
        """One line of the workload's output, for Cloud Logging."""
        self._queue.put({"severity": "DEFAULT", "jsonPayload": {"MESSAGE": line}})

    def serial(self, line: str) -> None:
        """One line on the serial console only."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Deliver what is left, within bounds."""
        self._queue.put(None)
        self._thread.join(_LAST_WORDS_S)

    def _deliver(self) -> None:
        ended = False
        while not ended:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < _BATCH:
                batch.append(self._queue.get())
            ended = None in batch
            entries = [
                {**self._common, "insertId": uuid.uuid4().hex[:16], **entry} for entry in batch if entry
            ]
            if entries:
                self._write(entries)

    def _write(self, entries: list[dict[str, Any]]) -> None:
        try:
            self._link.call("/v2/entries:write", {"entries": entries})
        except LinkError as error:
            self.serial(f"ERROR {len(entries)} log entries lost: {error}")
