"""The rows of all tables: one DuckDB file beside the other state, opened when first needed.

DuckDB may touch nothing but its own file: SQL that reads other files is refused by it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from localcloud.doors.errors import ApiError
from localcloud.world.cloud import Cloud, on_stop

_LIVE = "bigquery.engine"
_LOCK = threading.Lock()


class Engine:
    """A connection and its lock."""

    def __init__(self, file: str) -> None:
        import duckdb  # a fifth of a second: only for who uses BigQuery

        self._error: type[Exception] = duckdb.Error
        self._connection = duckdb.connect(file, config={"enable_external_access": "false"})
        self._connection.execute("SET TimeZone='UTC'")
        self._connection.execute("SET lock_configuration=true")
        self._lock = threading.RLock()

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises ApiError 400 (invalidQuery) with DuckDB's first line."""
        with self._lock, self._explained():
            return list(self._connection.execute(sql, values or None).fetchall())

    def fill(self, sql: str, rows: list[list[Any]]) -> None:
        """Insert many rows, all or none."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN")
            try:
                for row in rows:
                    self._connection.execute(sql, row)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise ApiError(400, str(error).partition("\n")[0], reason="invalidQuery") from error


def engine(cloud: Cloud) -> Engine:
    """The one engine of this cloud."""
    with _LOCK:
        if _LIVE not in cloud.live:
            cloud.live[_LIVE] = Engine(str(cloud.root / "bigquery.duckdb"))
        found: Engine = cloud.live[_LIVE]
    return found


def quoted(*parts: str) -> str:
    """A DuckDB name of the given parts."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@on_stop
def _stop(cloud: Cloud) -> None:
    found = cloud.live.pop(_LIVE, None)
    if found is not None:
        found.close()
