"""One page of a list, as the newer APIs page: `pageSize` and `pageToken` (here: the last name given out)."""

from __future__ import annotations

from localcloud.doors import Call, Json
from localcloud.doors.errors import invalid

LARGEST = 1000


def page(call: Call, field: str, rows: list[tuple[str, Json]]) -> Json:
    """`rows` are (name, resource) in order of name; the answer holds at most `pageSize` of them."""
    size = call.params.get("pageSize") or LARGEST
    if size < 0:
        raise invalid(f"pageSize: got {size}, expected 0 or more")
    after = call.params.get("pageToken") or ""
    left = [(name, body) for name, body in rows if name > after]
    shown = left[: min(size, LARGEST)]
    answer: Json = {field: [body for _, body in shown]}
    if len(left) > len(shown):
        answer["nextPageToken"] = shown[-1][0]
    return answer
