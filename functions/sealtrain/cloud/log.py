"""One JSON line on stdout per call, in the form Cloud Logging reads.

Fields are flat: severity, message, event (`noun.past_verb`), and what the caller adds. Nobody puts
a token, a key or a line of data here.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal, TextIO

Severity = Literal["INFO", "WARNING", "ERROR"]


class Log:
    """Writes lines for one function."""

    def __init__(self, function: str, stream: TextIO | None = None) -> None:
        self._function = function
        self._stream = stream

    def write(self, event: str, message: str = "", severity: Severity = "INFO", **fields: Any) -> None:
        """Write one line. Fields whose value is None are left out."""
        line = {
            "severity": severity,
            "message": message or event,
            "event": event,
            "function": self._function,
        }
        line |= {name: value for name, value in fields.items() if value is not None}
        # One write call: lines of concurrent calls must not mix.
        stream = self._stream or sys.stdout
        stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        stream.flush()
