"""The cloud as one function sees it: each object is built when first asked for, once.

- Identity is whatever Google's own default finds, which in a function is the metadata server. A
  caller outside a function (the command line) may hand its own credentials in.
- The address is Google's, unless the settings name a loopback address (checked there).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sealtrain.rules.settings import Settings, check_loopback

if TYPE_CHECKING:
    from sealtrain.cloud.bigquery import BigQuery
    from sealtrain.cloud.compute import Compute
    from sealtrain.cloud.executions import Executions
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.pubsub import PubSub
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage


class Cloud:
    """Give the cloud objects by the words of the step table's `needs`."""

    def __init__(
        self,
        settings: Settings,
        by: str,
        clock: Callable[[], datetime],
        credentials: Any = None,
    ) -> None:
        if settings.endpoint is not None:
            check_loopback(settings.endpoint, "SEALTRAIN_ENDPOINT")
        self.settings = settings
        self._by = by
        self._clock = clock
        self._credentials = credentials
        self._built: dict[str, Any] = {}
        self._lock = threading.RLock()

    def get(self, need: str) -> Any:
        """The cloud object of that word; KeyError for a word that is none."""
        makers: dict[str, Callable[[], Any]] = {
            "storage": self._storage,
            "kms": self._kms,
            "compute": self._compute,
            "pubsub": self._pubsub,
            "bigquery": self._bigquery,
            "executions": self._executions,
            "ledger": self._ledger,
            "state": self._state,
        }
        with self._lock:
            if need not in self._built:
                self._built[need] = makers[need]()
            return self._built[need]

    def _storage(self) -> Storage:
        from sealtrain.cloud.storage import Storage

        return Storage(self.settings, self._credentials)

    def _kms(self) -> Kms:
        from sealtrain.cloud.kms import Kms

        return Kms(self.settings, self._credentials)

    def _compute(self) -> Compute:
        from sealtrain.cloud.compute import Compute

        return Compute(self.settings, self._credentials)

    def _pubsub(self) -> PubSub:
        from sealtrain.cloud.pubsub import PubSub

        return PubSub(self.settings, self._credentials)

    def _bigquery(self) -> BigQuery:
        from sealtrain.cloud.bigquery import BigQuery

        return BigQuery(self.settings, self._credentials)

    def _executions(self) -> Executions:
        from sealtrain.cloud.executions import Executions

        return Executions(self.settings, self._credentials)

    def _ledger(self) -> Ledger:
        from sealtrain.cloud.ledger import Ledger

        return Ledger(self.get("storage"), self.settings, self._by, self._clock)

    def _state(self) -> State:
        from sealtrain.cloud.state import State

        return State(self.get("storage"), self.settings)
