"""Ready predicates, backoffs and policies. Source: Google's pages "Retry steps", "Module: http",
"Module: retry".

These names stand for values, not calls: `${http.default_retry}`, `${retry.default_backoff}`.
"""

from __future__ import annotations

from ..values import Value
from .function import Library

library = Library("retry")

DEFAULT_BACKOFF = {"initial_delay": 1.0, "max_delay": 60.0, "multiplier": 1.25}
DEFAULT_MAX_RETRIES = 5


@library.function("always")
def always(exception: Value) -> Value:  # noqa: ARG001
    """Retry whatever was raised."""
    return True


@library.function("never")
def never(exception: Value) -> Value:  # noqa: ARG001
    """Retry nothing."""
    return False


BACKOFFS: dict[str, dict[str, float]] = {"retry.default_backoff": DEFAULT_BACKOFF}
# Each policy by its predicate; how often and how long apart is the same for both.
POLICIES: dict[str, str] = {
    "http.default_retry": "http.default_retry_predicate",
    "http.default_retry_non_idempotent": "http.default_retry_predicate_non_idempotent",
}
