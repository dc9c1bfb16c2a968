"""The run's ledger in the evidence bucket: write-once entries (rules in `rules.ledger`).

A create and a teardown may meet. The maker writes its intent and then looks for a request of teardown;
a teardown writes its request and then reads the ledger. So one of them sees the other: either nothing is
made, or the teardown knows of the intent and waits for its outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sealtrain.cloud.state import State
from sealtrain.cloud.storage import Storage
from sealtrain.rules import names
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import NOTHING_MADE, AlreadyExistsError
from sealtrain.rules.ledger import Entry, Kind, Phase, check_same, entry_object, is_entry, parse_entry
from sealtrain.rules.settings import Settings


class Ledger:
    """Writes as one function (`by`); reads all."""

    def __init__(self, storage: Storage, settings: Settings, by: str, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._state = State(storage, settings)
        self._bucket = names.evidence_bucket(settings)
        self._by = by
        self._clock = clock

    def intent(self, run: str, kind: Kind, name: str, detail: Mapping[str, Any] | None = None) -> Entry:
        """Say what is about to be made. The detail must be the same whenever it is repeated."""
        return self._keep(run, kind, name, "intent", detail)

    @contextmanager
    def making(
        self, run: str, kind: Kind, name: str, detail: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """Stand around a create: the intent before it, and if the platform refused it, that after it.

        Raises JobFailedError once a teardown was asked for: nothing is made then.
        """
        self._state.must_go_on(run)  # an intent that nobody follows up would be waited for
        self.intent(run, kind, name, detail)
        self._state.must_go_on(run)
        try:
            yield
        except NOTHING_MADE as error:
            self._keep(run, kind, name, "refused", {"code": error.code, "reason": error.body.message})
            raise

    def listed(self, run: str, kind: Kind, name: str, detail: Mapping[str, Any] | None = None) -> Entry:
        """Say what the platform shows and may still take back. Asked again, its maker makes no second one."""
        return self._keep(run, kind, name, "listed", detail)

    def made(self, run: str, kind: Kind, name: str, detail: Mapping[str, Any] | None = None) -> Entry:
        """Say what was made. The detail must be the same whenever it is repeated.

        Raises JobFailedError if a teardown was asked for meanwhile: it waits for this entry, and removes
        what was made; nothing more is to be made.
        """
        entry = self._keep(run, kind, name, "made", detail)
        self._state.must_go_on(run)
        return entry

    def gone(self, run: str, kind: Kind, name: str, detail: Mapping[str, Any] | None = None) -> Entry:
        """Say what was seen absent; the first sighting stands."""
        return self._keep(run, kind, name, "gone", detail)

    def entries(self, run: str) -> list[Entry]:
        """Every entry of the run, by object name."""
        found = self._storage.list(self._bucket, names.ledger_prefix(run))
        return [self._read(each.name) for each in found if is_entry(each.name)]

    def _keep(self, run: str, kind: Kind, name: str, phase: Phase, detail: Mapping[str, Any] | None) -> Entry:
        """Write the entry, or compare with the one that stands; give what stands."""
        entry = Entry(
            run=run,
            kind=kind,
            name=name,
            phase=phase,
            time=self._clock().isoformat(),
            by=self._by,
            detail=dict(detail or {}),
        )
        try:
            self._storage.create(self._bucket, entry_object(entry), dumps(entry))
        except AlreadyExistsError:
            stored = self._read(entry_object(entry))
            check_same(stored, entry)
            return stored
        return entry

    def _read(self, name: str) -> Entry:
        return parse_entry(self._storage.get(self._bucket, name), name)
