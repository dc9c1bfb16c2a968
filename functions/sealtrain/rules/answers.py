"""How an error is answered over HTTP: its status, and what the caller reads.

Whatever is not an error of ours is answered as 500 "internal", without detail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sealtrain.rules.errors import (
    AlreadyExistsError,
    ConflictError,
    DeniedError,
    ErrorBody,
    EvidenceError,
    InvalidRequestError,
    JobFailedError,
    NotFoundError,
    NotReadyError,
    QuotaError,
    RefusedError,
    SealtrainError,
    StockOutError,
    ThrottledError,
    UnavailableError,
    UnsupportedError,
)

HTTP_STATUS: Mapping[type[SealtrainError], int] = {
    InvalidRequestError: 400,
    DeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    AlreadyExistsError: 409,
    EvidenceError: 412,
    RefusedError: 422,
    UnsupportedError: 422,
    JobFailedError: 424,
    StockOutError: 424,
    QuotaError: 424,
    ThrottledError: 429,
    NotReadyError: 503,
    UnavailableError: 503,
}


def status_of(error: BaseException) -> int:
    """The HTTP status of an error; 500 for whatever is not ours."""
    return HTTP_STATUS.get(type(error), 500) if isinstance(error, SealtrainError) else 500


def answer(error: BaseException, reference: str) -> dict[str, Any]:
    """The JSON answer of an error. A foreign error shows its reference in the log, no detail."""
    if isinstance(error, SealtrainError):
        return {"error": msgspec.to_builtins(error.body)}
    body = ErrorBody(
        code="internal",
        message="an unexpected error",
        remedy=f"look in the log for reference {reference}",
    )
    return {"error": msgspec.to_builtins(body)}
