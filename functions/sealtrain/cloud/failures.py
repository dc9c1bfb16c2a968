"""Google's failures become ours in this one place.

- By HTTP code and reason, never by the wording of a message.
- A failed create-if-absent (409, or 412 of a precondition) is AlreadyExistsError: the caller
  compares.
- 429 and 5xx and a broken connection may be tried again; nothing else may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sealtrain.rules.errors import (
    AlreadyExistsError,
    DeniedError,
    NotFoundError,
    NotReadyError,
    QuotaError,
    SealtrainError,
    StockOutError,
    ThrottledError,
    UnavailableError,
    UnsupportedError,
)

_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_QUOTA = frozenset({"quotaExceeded", "QUOTA_EXCEEDED", "LIMIT_EXCEEDED"})
_STOCK_OUT = frozenset(
    {
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
        "RESOURCE_POOL_EXHAUSTED",
        "STOCKOUT",
    }
)
_NOT_YET = frozenset(
    {
        "FAILED_PRECONDITION",
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
        "RESOURCE_NOT_READY",
        "resourceInUseByAnotherResource",
        "resourceNotReady",
    }
)
_PLATFORM = "read the message; the platform will answer the same again"


@contextmanager
def ours(what: str) -> Iterator[None]:
    """Raise our errors for Google's inside this block; `what` names the thing asked for."""
    try:
        yield
    except SealtrainError:
        raise
    except Exception as error:
        translated = _translate(error, what)
        if translated is None:
            raise
        raise translated from error


def for_code(  # noqa: PLR0911  # one table, read from top to bottom
    code: int, what: str, message: str, reasons: Sequence[str] = ()
) -> SealtrainError:
    """Our error for an HTTP code of Google's and the reasons that came with it."""
    given = frozenset(reasons)
    # The library puts method and address before what the platform said.
    said = re.sub(r"^[A-Z]+ \S+: ", "", message)
    if given & _STOCK_OUT:
        return StockOutError("the zone is out of this capacity", field=what, got=said)
    if given & _THROTTLED or (code == 429 and not given & _QUOTA):
        return ThrottledError("too many calls", field=what, got=said, remedy="ask again later")
    if given & _QUOTA:
        return QuotaError(
            "the project's quota does not allow this",
            field=what,
            got=said,
            remedy="ask Google for more quota, or wait until other runs end",
        )
    if code in {401, 403}:
        return DeniedError(
            "the function's account may not do this",
            field=what,
            got=said,
            remedy="compare the account's grants with the step table",
        )
    if code == 404:
        return NotFoundError("not there", field=what, got=said)
    if code in {409, 412} or given & {"RESOURCE_ALREADY_EXISTS", "alreadyExists"}:
        return AlreadyExistsError("already there, or changed meanwhile", field=what, got=said)
    if code in {408, 0} or code >= 500:
        if code == 501:
            return UnsupportedError("the platform does not offer this", field=what, got=said)
        return UnavailableError("the platform could not answer", field=what, got=said, remedy="ask again")
    if given & _NOT_YET:
        return NotReadyError("not in a state for this yet", field=what, got=said)
    return UnsupportedError(
        "the platform refused the request",
        code="platform_refused",
        field=what,
        got=said,
        remedy=_PLATFORM,
    )


def _translate(error: Exception, what: str) -> SealtrainError | None:
    """Our error for one of Google's libraries' errors; None for any other error."""
    # These are loaded already when one of their errors is in flight.
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from requests.exceptions import RequestException

    if isinstance(error, api.RetryError) and error.cause is not None:
        at_last = _translate(error.cause, what)
        if at_last is not None:
            return at_last
    if isinstance(error, api.GoogleAPICallError):
        code = int(error.code) if error.code is not None else 500
        return for_code(code, what, error.message, _reasons(error))
    if isinstance(error, auth.GoogleAuthError):
        return UnavailableError("no credentials could be had", field=what, got=error)
    if isinstance(error, RequestException | api.RetryError | ConnectionError | TimeoutError):
        return UnavailableError(
            "the platform could not be reached", field=what, got=error, remedy="ask again"
        )
    # The upload library's own error for a bad answer carries the answer.
    status = getattr(getattr(error, "response", None), "status_code", None)
    return for_code(status, what, str(error)) if isinstance(status, int) else None


def _reasons(error: Any) -> list[str]:
    reasons = [e.get("reason", "") for e in error.errors if isinstance(e, dict)]
    reasons.append(str(error.reason or ""))
    body = getattr(error.response, "content", b"") or b""
    if b"FAILED_PRECONDITION" in body:
        reasons.append("FAILED_PRECONDITION")
    return [r for r in reasons if r]
