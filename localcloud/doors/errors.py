"""Google's error answers."""

from __future__ import annotations

from typing import Any

_STATUS = {
    400: ("INVALID_ARGUMENT", "invalid"),
    401: ("UNAUTHENTICATED", "required"),
    403: ("PERMISSION_DENIED", "forbidden"),
    404: ("NOT_FOUND", "notFound"),
    409: ("ALREADY_EXISTS", "conflict"),
    411: ("INVALID_ARGUMENT", "lengthRequired"),
    412: ("FAILED_PRECONDITION", "conditionNotMet"),
    416: ("OUT_OF_RANGE", "requestedRangeNotSatisfiable"),
    429: ("RESOURCE_EXHAUSTED", "rateLimitExceeded"),
    500: ("INTERNAL", "backendError"),
    501: ("UNIMPLEMENTED", "notImplemented"),
    503: ("UNAVAILABLE", "backendError"),
    504: ("DEADLINE_EXCEEDED", "deadlineExceeded"),
}


class ApiError(Exception):
    """What Google would answer: an HTTP code, its status word, a message that names the thing."""

    def __init__(
        self, code: int, message: str, *, status: str | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message)
        default_status, default_reason = _STATUS.get(code, ("UNKNOWN", "unknown"))
        self.code = code
        self.message = message
        self.status = status or default_status
        self.reason = reason or default_reason

    def body(self) -> dict[str, Any]:
        """The JSON that goes with it."""
        domain = "usageLimits" if self.reason in ("rateLimitExceeded", "quotaExceeded") else "global"
        detail = {"message": self.message, "domain": domain, "reason": self.reason}
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "status": self.status,
                "errors": [detail],
            }
        }


def invalid(message: str) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, message)


def not_found(name: str) -> ApiError:
    """404: no such resource."""
    return ApiError(404, f"{name} was not found.")


def already_exists(name: str) -> ApiError:
    """409: the name is taken."""
    return ApiError(409, f"{name} already exists.")


def failed_precondition(message: str) -> ApiError:
    """400 FAILED_PRECONDITION: the resource's state does not allow it."""
    return ApiError(400, message, status="FAILED_PRECONDITION", reason="failedPrecondition")


def condition_not_met(name: str) -> ApiError:
    """412: a generation, metageneration or etag condition does not hold."""
    return ApiError(412, f"At least one of the pre-conditions you specified did not hold: {name}")
