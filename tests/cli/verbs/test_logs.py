"""How log entries are shown."""

from __future__ import annotations

from typing import Any

from cli.verbs.logs import line

AT = "2026-11-22T12:00:00.123456Z"


def entry(severity: str = "INFO", **payload: Any) -> dict[str, Any]:
    """An entry as Logging gives it."""
    return {"timestamp": AT, "severity": severity, "jsonPayload": {"run": "r0123456789ab", **payload}}


def test_an_event_is_said_once_with_what_it_tells() -> None:
    """No word twice; the fields are what a reader looks for; a long name is shown by its end."""
    shown = line(
        entry(event="vm.started", message="vm.started", instance="projects/p/x", zone="z", duration_ms=12)
    )
    assert shown == "12:00:00.123 INFO     vm.started             instance=x  zone=z  12 ms"


def test_a_message_is_shown_as_it_is_and_cannot_move_the_cursor() -> None:
    """Words come before fields, without control characters."""
    shown = line(entry("WARNING", event="start_vm.failed", message="no capacity\x1b[2J", code="stockout"))
    assert shown.startswith("12:00:00.123 WARNING  start_vm.failed        no capacity")
    assert "\x1b" not in shown
