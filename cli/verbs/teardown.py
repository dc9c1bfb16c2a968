"""`sealtrain teardown RUN`: ask for everything that a run made to be removed."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from sealtrain.rules import names
from sealtrain.rules.canonical import dumps

from cli import place, run_records
from cli.api import Api
from cli.output import emit, note, say


def teardown(run: str, reason: str, as_json: bool) -> int:
    """Publish the request. The removal itself is `tear_down`'s, and goes on without us."""
    settings = place.find(os.environ, Path.cwd())
    api = Api(settings)
    found = run_records.known_progress(api, settings, run)
    data = base64.b64encode(dumps({"run": run, "reason": reason})).decode()
    topic = names.topic(settings, "teardown-requests")
    answer = api.post("pubsub", f"/v1/{topic}:publish", {"messages": [{"data": data}]})
    if as_json:
        emit({"run": run, "reason": reason, "message": answer["messageIds"][0]})
    else:
        say(f"teardown of {run} asked for; `sealtrain status {run}` shows what is gone")
        if found.followed_by:
            note(f"if its next attempt has begun, `sealtrain teardown {found.followed_by}` ends that one")
    return 0
