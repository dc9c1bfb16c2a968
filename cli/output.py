"""What a verb says: JSON on one line of stdout, or text for people.

- With `--json` stdout carries exactly one JSON document (errors too); everything else goes to stderr.
- Text from outside (object names, reasons) is shown without control characters: it cannot move the cursor.
- A command of ours that a line names in backticks is named as it is called here (cli.called).
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from cli.called import pasteable

# Control, format (right-to-left marks among them), surrogates, private use: nothing that a name needs.
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def say(text: str = "") -> None:
    """A line for the reader of the result."""
    _write(pasteable(text))


def note(text: str) -> None:
    """A line about what goes on; never part of the result."""
    sys.stderr.write(pasteable(text) + "\n")
    sys.stderr.flush()


def emit(document: Any) -> None:
    """The one JSON document of a `--json` call."""
    _write(json.dumps(document, ensure_ascii=False, sort_keys=True))


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """Text from outside, made safe for a terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _UNSHOWN else c for c in text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; no row is cut."""
    cells = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return ["  ".join(row).rstrip() for row in padded]
