"""Tests of `cloud.log`."""

import io
import json

from sealtrain.cloud.log import Log


def test_a_line_is_one_json_object_with_flat_fields() -> None:
    """Severity, message, event and function, what was added, and nothing that is None."""
    out = io.StringIO()
    Log("create_key", out).write("key.created", run="r1", code=None, text="two\nlines")
    (line,) = out.getvalue().splitlines()
    assert json.loads(line) == {
        "severity": "INFO", "message": "key.created", "event": "key.created", "function": "create_key",
        "run": "r1", "text": "two\nlines",
    }  # fmt: skip
