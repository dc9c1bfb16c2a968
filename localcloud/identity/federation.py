"""Workload identity federation: what a provider makes of a token's claims.

- `attributeMapping`: target ("google.subject", "google.groups", "attribute.NAME") → CEL over `assertion`.
- `attributeCondition`: CEL over `assertion`, `google`, `attribute`; false, or not evaluable, is a refusal.
- The outcome is IAM members: one `principal://…/subject/…` and a `principalSet://…` per attribute and group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.identity import cel

MAX_EXPRESSION = 4096
_TARGET = re.compile(r"google\.subject|google\.groups|attribute\.[a-z0-9_]{1,100}")
_MAX_SUBJECT_BYTES = 127


class FederationError(Exception):
    """The provider does not accept this token; the message is for the caller."""


def check(mapping: Mapping[str, str], condition: str) -> None:
    """Raise ValueError, naming the field, unless mapping and condition are well-formed."""
    if "google.subject" not in mapping:
        raise ValueError("attributeMapping: a mapping for google.subject is required")
    for target, expression in mapping.items():
        if not _TARGET.fullmatch(target):
            raise ValueError(f"attributeMapping: unknown target {target!r}")
        _check_expression(f"attributeMapping.{target}", expression)
    if condition:
        _check_expression("attributeCondition", condition)


def _check_expression(field: str, expression: str) -> None:
    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"{field}: {len(expression)} characters, at most {MAX_EXPRESSION} allowed")
    try:
        cel.program(expression)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error


def members(
    pool: str, mapping: Mapping[str, str], condition: str, claims: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """(principal, principal sets) of a token with `claims`. `pool` is "projects/N/locations/global/…"."""
    from celpy.adapter import json_to_cel

    assertion = json_to_cel(dict(claims))
    mapped = {t: _evaluate(t, x, {"assertion": assertion}) for t, x in mapping.items()}
    google: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for target, value in mapped.items():
        room, _, key = target.partition(".")
        if target == "google.groups":
            google[key] = [str(item) for item in value]
        else:
            (google if room == "google" else attributes)[key] = _text(target, value)
    facts = {
        "assertion": assertion,
        "attribute": json_to_cel(dict(attributes)),
        # Dotted names, because the library keeps "google" for protobuf's own types.
        **{f"google.{key}": json_to_cel(value) for key, value in google.items()},
    }
    if condition and not cel.holds(condition, facts):
        raise FederationError("The given credential is rejected by the attribute condition.")
    subject = google["subject"]
    if not subject or len(subject.encode()) > _MAX_SUBJECT_BYTES:
        raise FederationError("The size of mapped attribute google.subject exceeds the 127 bytes limit.")
    base = f"//iam.googleapis.com/{pool}"
    sets = [f"principalSet:{base}/attribute.{key}/{value}" for key, value in attributes.items()]
    sets += [f"principalSet:{base}/group/{group}" for group in google.get("groups", [])]
    return f"principal:{base}/subject/{subject}", [*sets, f"principalSet:{base}/*"]


def _evaluate(target: str, expression: str, facts: dict[str, Any]) -> Any:
    from celpy.evaluation import CELEvalError

    try:
        return cel.program(expression).evaluate(facts)
    except CELEvalError as error:
        raise FederationError(f"Failed to evaluate the mapping of {target}: {error.args[0]}") from error


def _text(target: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FederationError(f"The mapped attribute '{target}' must be of type STRING.")
    return str(value)
