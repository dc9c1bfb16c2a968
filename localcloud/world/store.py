"""Documents on disk: one SQLite file that survives `kill -9` at any moment.

Rules
- A document is JSON under (kind, name). Kinds are words of the API ("storage.bucket"), names are
  resource names.
- Every change happens inside `transaction()`; the outermost one commits, an exception undoes all of it.
- One lock serialises everything: an API call sees the world as it is and leaves it whole.
- Work for later (`later`) is a row of the same file: an effect and its consequence commit together.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
  kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, task TEXT NOT NULL, payload TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS due_at ON due (at);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Due:
    """Work that becomes due at `at` (epoch seconds of the stand-in's clock)."""

    id: int
    at: float
    task: str
    payload: Document
    failures: int


class Store:
    """The one state. Thread-safe; every method may be called inside or outside a transaction."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._lock = threading.RLock()
        self._depth = 0

    def close(self) -> None:
        """Close the file. No call may follow."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested use joins the outer transaction."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def get(self, kind: str, name: str) -> Document | None:
        """The document, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM document WHERE kind=? AND name=?", (kind, name)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, kind: str, name: str, body: Document) -> None:
        """Write the document whether or not there was one."""
        with self._lock:
            self._db.execute(
                "INSERT INTO document (kind, name, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET body=excluded.body",
                (kind, name, json.dumps(body)),
            )

    def create(self, kind: str, name: str, body: Document) -> bool:
        """Write the document if there is none; False if there is one already."""
        with self._lock:
            return (
                self._db.execute(
                    "INSERT OR IGNORE INTO document (kind, name, body) VALUES (?, ?, ?)",
                    (kind, name, json.dumps(body)),
                ).rowcount
                == 1
            )

    def delete(self, kind: str, name: str) -> bool:
        """Remove the document; False if there was none."""
        with self._lock:
            return (
                self._db.execute(
                    "DELETE FROM document WHERE kind=? AND name=?", (kind, name)
                ).rowcount
                == 1
            )

    def documents(self, kind: str, prefix: str = "") -> list[tuple[str, Document]]:
        """(name, document) of every name that starts with `prefix`, in name order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT name, body FROM document WHERE kind=? AND name>=? ORDER BY name", (kind, prefix)
            )
            found = list(takewhile(lambda row: row[0].startswith(prefix), rows))
            rows.close()
        return [(name, json.loads(body)) for name, body in found]

    def clear(self) -> None:
        """Forget every document and all planned work; counters go on."""
        with self.transaction():
            self._db.execute("DELETE FROM document")
            self._db.execute("DELETE FROM due")

    def next_number(self, name: str, first: int = 1) -> int:
        """A counter that never gives the same number twice, also after a restart."""
        with self._lock:
            row = self._db.execute(
                "INSERT INTO counter (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value=value+1 RETURNING value",
                (name, first),
            ).fetchone()
        return int(row[0])

    def later(self, at: float, task: str, payload: Document) -> int:
        """Remember that `task` is due at `at` (clock seconds). Returns the row's id."""
        with self._lock:
            cursor = self._db.execute(
                "INSERT INTO due (at, task, payload) VALUES (?, ?, ?)",
                (at, task, json.dumps(payload)),
            )
        return int(cursor.lastrowid or 0)

    def due(self, now: float, limit: int = 100) -> list[Due]:
        """Work due by `now`, earliest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, at, task, payload, failures FROM due "
                "WHERE at<=? ORDER BY at, id LIMIT ?",
                (now, limit),
            ).fetchall()
        return [Due(i, at, task, json.loads(payload), f) for i, at, task, payload, f in rows]

    def next_due(self, after: float, without: Collection[str] = ()) -> float | None:
        """When the earliest work that is due later than `after`, of other tasks than `without`, is due."""
        marks = ", ".join("?" * len(without))
        query = f"SELECT min(at) FROM due WHERE at>? AND task NOT IN ({marks})"  # noqa: S608 - only marks
        with self._lock:
            row = self._db.execute(query, (after, *without)).fetchone()
        return None if row[0] is None else float(row[0])

    def done(self, due_id: int) -> None:
        """Forget a piece of work."""
        with self._lock:
            self._db.execute("DELETE FROM due WHERE id=?", (due_id,))

    def postpone(self, due_id: int, at: float) -> None:
        """Try a failed piece of work again at `at`, counting the failure."""
        with self._lock:
            self._db.execute(
                "UPDATE due SET at=?, failures=failures+1 WHERE id=?", (at, due_id)
            )
