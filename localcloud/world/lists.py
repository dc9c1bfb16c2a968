"""Lists lag: in bad weather what was made a moment ago is not yet in a list, though a get finds it.

- Compute's lists and aggregated lists only; Cloud Storage's and Cloud KMS's are consistent (documented).
- How long a thing stays unseen is drawn from the seed and its id: it does not flicker between two looks.
- What was deleted is gone from lists at once: here they only show too little, which a teardown must bear.
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

from localcloud.world.cloud import Cloud

Json = dict[str, Any]


def lagging(cloud: Cloud, method: str, answer: Json) -> Json:
    """The answer of a list method without what is too new."""
    longest = cloud.weather.longest("list")
    if not longest or not method.startswith("compute.") or not method.endswith((".list", ".aggregatedList")):
        return answer
    items = answer.get("items")
    if isinstance(items, list):
        return {**answer, "items": _seen(cloud, items, longest)}
    if isinstance(items, dict):
        scopes = {
            scope: {key: _seen(cloud, value, longest) if isinstance(value, list) else value
                    for key, value in held.items()}
            for scope, held in items.items()
        }  # fmt: skip
        return {**answer, "items": scopes}
    return answer


def _seen(cloud: Cloud, items: list[Json], longest: float) -> list[Json]:
    now = cloud.clock.now()
    return [item for item in items if now - _made(item) >= _lag(cloud, item, longest)]


def _made(item: Json) -> float:
    text = item.get("creationTimestamp")
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _lag(cloud: Cloud, item: Json, longest: float) -> float:
    return Random(f"{cloud.weather.seed}/list/{item.get('id')}").uniform(0, longest)  # noqa: S311 - no secret
