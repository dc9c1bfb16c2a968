"""Every error this product raises on purpose.

Rules:
- Only these errors cross a boundary; how each is answered stands in `rules.answers`.
- An error says field, got, expected and what to do, where there is such a thing.
- Whether a caller may try again is a matter of type (`RETRYABLE`), never of wording.
- Quota, stock-out, permission and unsupported are different errors.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=False):
    """What the caller reads: the `error` member of a refused request's answer."""

    code: str
    message: str
    field: str | None = None
    got: str | None = None
    expected: str | None = None
    remedy: str | None = None


class SealtrainError(Exception):
    """The one base. `got` is shortened, so that a refusal never carries a whole payload."""

    default_code: ClassVar[str] = "internal"
    longest_got: ClassVar[int] = 200

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        got: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        shown = None if got is None else str(got)
        if shown is not None and len(shown) > self.longest_got:
            shown = shown[: self.longest_got] + "…"
        self.body = ErrorBody(
            code=code or self.default_code,
            message=message,
            field=field,
            got=shown,
            expected=None if expected is None else str(expected),
            remedy=remedy,
        )

    @property
    def code(self) -> str:
        """The word a program branches on, e.g. `source_changed`."""
        return self.body.code

    def __str__(self) -> str:
        body = self.body
        parts = [body.message]
        parts += [
            f"{label}: {value}"
            for label, value in (
                ("field", body.field),
                ("got", body.got),
                ("expected", body.expected),
                ("do", body.remedy),
            )
            if value is not None
        ]
        return "; ".join(parts)


class InvalidRequestError(SealtrainError):
    """The request itself is malformed; sending it again cannot help."""

    default_code = "invalid_request"


class SettingsError(SealtrainError):
    """The deployment's settings cannot be used: its operator must correct them."""

    default_code = "bad_settings"


class RefusedError(SealtrainError):
    """The upload or the job is at fault; permanent. The owner finds the reason in the inbox."""

    default_code = "refused"


class UnsupportedError(SealtrainError):
    """No such combination exists on the platform; refused before any call."""

    default_code = "unsupported"


class EvidenceError(SealtrainError):
    """Evidence is missing for good, malformed or refused by the policy."""

    default_code = "evidence_refused"


class ConflictError(SealtrainError):
    """Something of that name exists and differs where it matters."""

    default_code = "conflict"


class AlreadyExistsError(ConflictError):
    """A create met an existing resource. Whether that is a conflict, the caller compares."""

    default_code = "already_exists"


class NotReadyError(SealtrainError):
    """Not yet; ask again."""

    default_code = "not_ready"


class UnavailableError(NotReadyError):
    """The platform could not answer (5xx or no connection); ask again."""

    default_code = "unavailable"


class ThrottledError(SealtrainError):
    """Too many calls; ask again later."""

    default_code = "throttled"


class JobFailedError(SealtrainError):
    """The training itself failed."""

    default_code = "job_failed"


class StockOutError(SealtrainError):
    """The zone has no such capacity now; the next attempt of the plan may have."""

    default_code = "stock_out"


class QuotaError(SealtrainError):
    """The project's quota does not allow it; only its owner can raise it."""

    default_code = "quota_exceeded"


class DeniedError(SealtrainError):
    """The function's own identity lacks a permission: a mistake in the deployment."""

    default_code = "permission_denied"


class NotFoundError(SealtrainError):
    """Something that had to exist does not."""

    default_code = "not_found"


NOTHING_MADE: tuple[type[SealtrainError], ...] = (
    DeniedError,
    InvalidRequestError,
    QuotaError,
    StockOutError,
    UnsupportedError,
)
"""What a create is answered with when the platform has decided against it."""

RETRYABLE: tuple[type[SealtrainError], ...] = (NotReadyError, ThrottledError)
