"""Would somebody be told, and does the log sink deliver? What Cloud Monitoring says of a deployment.

- The titles are those of terraform_min/region/alerts.tf; a gate compares them.
- No alert at all is a decision (nobody was named), so it is a warning; one that is missing, off, or without a
  channel is a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sealtrain.rules.settings import Settings

from cli.api import Api
from cli.doctor import mending
from cli.doctor.line import Line, fail, ok, warn
from cli.errors import CloudError

ALERTS = frozenset(
    {
        "boot integrity failed",
        "dead letters",
        "evidence refused",
        "something outlived its run",
        "the budget is spent",
        "the sweep is silent",
    }
)
_LOOKED_BACK = timedelta(days=1)


def check(api: Api, settings: Settings, now: datetime) -> list[Line]:
    """One line for the alerts and one for the sink."""
    checks: dict[str, Callable[[], Line]] = {
        "alerts": lambda: _alerts(api, settings),
        "sink delivery": lambda: _sink(api, settings, now),
    }
    lines = []
    for name, look in checks.items():
        try:
            lines.append(look())
        except CloudError as error:
            lines.append(warn(name, f"could not be seen: {error}", mending.to_see(name, error, settings)))
    return lines


def _alerts(api: Api, s: Settings) -> Line:
    prefix = f"{s.deployment} {s.region}: "
    found = api.pages("monitoring", f"/v3/projects/{s.project}/alertPolicies", "alertPolicies")
    titled = [(str(one["displayName"]), one) for one in found]
    ours = {title.removeprefix(prefix): one for title, one in titled if title.startswith(prefix)}
    if not ALERTS & set(ours):
        return warn("alerts", "there is none: nobody is told of anything", "set alert_emails and apply")
    faults = {
        "missing": ALERTS - set(ours),
        "off": {title for title in ALERTS & set(ours) if not ours[title].get("enabled", True)},
        "without a channel": {t for t in ALERTS & set(ours) if not ours[t].get("notificationChannels")},
    }
    told = "; ".join(f"{word}: {', '.join(sorted(titles))}" for word, titles in faults.items() if titles)
    return fail("alerts", told, mending.again(s)) if told else ok("alerts", f"{len(ALERTS)} are armed")


def _sink(api: Api, s: Settings, now: datetime) -> Line:
    """What Logging could not deliver: an entry that is lost is an alarm that nobody judges."""
    name = f"{s.deployment}-attestation-logs"
    series = api.pages(
        "monitoring",
        f"/v3/projects/{s.project}/timeSeries",
        "timeSeries",
        filter=f'metric.type="logging.googleapis.com/exports/error_count" AND resource.labels.name="{name}"',
        **{
            "interval.startTime": (now - _LOOKED_BACK).isoformat(),
            "interval.endTime": now.isoformat(),
        },
    )
    lost = sum(int(point["value"]["int64Value"]) for one in series for point in one.get("points", []))
    if lost:
        told = f"{name} could not deliver {lost} entries in the last day"
        return fail("sink delivery", told, f"gcloud logging sinks describe {name} --project {s.project}")
    return ok("sink delivery", f"{name} lost nothing in the last day")
