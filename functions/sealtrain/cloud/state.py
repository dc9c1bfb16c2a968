"""The run's working records in the state bucket: typed, write-once.

A record that stands is never replaced: whoever comes second gets what stands and compares. A record
that a step needs and does not find is NotFoundError: the step before it has not run.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sealtrain.cloud.storage import Storage
from sealtrain.rules import budget, names
from sealtrain.rules.budget import Pause
from sealtrain.rules.canonical import Digest, digest, dumps
from sealtrain.rules.capacity import Plan
from sealtrain.rules.errors import AlreadyExistsError, JobFailedError
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.order import HeldKey, Order, parse_order
from sealtrain.rules.parsing import parse
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Claim

Record = TypeVar("Record")


class State:
    """Records of runs, by run id."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._bucket = names.state_bucket(settings)

    def keep(self, name: str, record: Record) -> Record:
        """Write a record once; give the one that stands, which may be an earlier one."""
        data = dumps(record)
        try:
            self._storage.create(self._bucket, name, data)
        except AlreadyExistsError:
            data = self._storage.get(self._bucket, name)
        return parse(data, type(record), name)

    def find(self, name: str, kind: type[Record]) -> Record | None:
        """A record, or None."""
        data = self._storage.find(self._bucket, name)
        return None if data is None else parse(data, kind, name)

    def job(self, run: str) -> FrozenJob:
        """The admitted job. Raises NotFoundError."""
        return self._get(names.job(run), FrozenJob)

    def claim(self, run: str) -> Claim:
        """Who claimed the run. Raises NotFoundError."""
        return self._get(names.claim(run), Claim)

    def plan(self, run: str) -> Plan:
        """The capacity plan. Raises NotFoundError."""
        return self._get(names.plan(run), Plan)

    def held(self, run: str, order_digest: str) -> HeldKey:
        """The wrapped data key. Raises NotFoundError."""
        return self._get(names.held(run, order_digest), HeldKey)

    def order(self, run: str) -> tuple[Order, Digest]:
        """The order and the digest of its bytes. Raises NotFoundError."""
        data = self._storage.get(self._bucket, names.order(run))
        return parse_order(data), digest(data)

    def find_order_digest(self, run: str) -> Digest | None:
        """The digest of the order, or None while there is none."""
        data = self._storage.find(self._bucket, names.order(run))
        return None if data is None else digest(data)

    def pause(self, now: datetime) -> Pause | None:
        """The pause of admission that stands in this month, if one does; it may have come to its end."""
        last = budget.in_force(self.listed(budget.folder_now(now)))
        return None if last is None else self._get(last, Pause)

    def listed(self, prefix: str) -> list[str]:
        """The names of the records below a prefix."""
        return [one.name for one in self._storage.list(self._bucket, prefix)]

    def must_go_on(self, run: str) -> None:
        """Raise JobFailedError once a teardown was asked for: nothing more is made or handed over."""
        if self._storage.find(self._bucket, names.teardown(run)) is not None:
            raise JobFailedError(
                "the run is being torn down",
                code="torn_down",
                field=names.teardown(run),
                got="a request for teardown",
                expected="none",
                remedy="start another attempt",
            )

    def _get(self, name: str, kind: type[Record]) -> Record:
        return parse(self._storage.get(self._bucket, name), kind, name)
