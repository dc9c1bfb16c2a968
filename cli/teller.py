"""Tells how a demo goes on: a line per step with its time, and on a terminal what is waited for now.

Where stdout is to hold a document the lines go to stderr, and nothing moves.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from cli.output import plain, say


class Teller:
    """Lines as `+ 1.2 s  word  sentence`; with a moving mark below them if stdout is a terminal."""

    def __init__(self, line: Callable[[str], None] = say) -> None:
        self._line = line
        self._started = time.monotonic()
        self._status: Any = None
        self._console: Any = None
        if line is say and sys.stdout.isatty():
            from rich.console import Console

            self._console = Console(highlight=False)
            self._status = self._console.status("")

    def __enter__(self) -> Teller:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def done(self, word: str, sentence: str) -> None:
        """Something is done."""
        line = f"{time.monotonic() - self._started:6.1f} s  {word:<18} {plain(sentence)}"
        if self._console is None:
            self._line(line)
        else:
            self._console.print(line, markup=False, soft_wrap=True)

    def waiting(self, sentence: str) -> None:
        """What is waited for now."""
        if self._status is not None:
            self._status.update(plain(sentence))
