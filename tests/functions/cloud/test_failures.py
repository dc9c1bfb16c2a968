"""Tests of `cloud.failures`."""

import pytest
import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import InvalidResponse
from sealtrain.cloud.failures import for_code, ours
from sealtrain.rules import errors

NOT_YET = b'{"error":{"status":"FAILED_PRECONDITION"}}'


def answer(status: int, body: bytes = b"{}") -> requests.Response:
    """An HTTP answer."""
    found = requests.Response()
    found.status_code = status
    found._content = body
    return found


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (api.NotFound("x"), errors.NotFoundError),
        (api.Conflict("x"), errors.AlreadyExistsError),
        (api.AlreadyExists("x"), errors.AlreadyExistsError),
        (api.PreconditionFailed("x"), errors.AlreadyExistsError),
        (api.Forbidden("x"), errors.DeniedError),
        (api.Unauthorized("x"), errors.DeniedError),
        (api.TooManyRequests("x"), errors.ThrottledError),
        (api.InternalServerError("x"), errors.UnavailableError),
        (api.ServiceUnavailable("x"), errors.UnavailableError),
        (api.GatewayTimeout("x"), errors.UnavailableError),
        (api.MethodNotImplemented("x"), errors.UnsupportedError),
        (api.BadRequest("x"), errors.UnsupportedError),
        (api.Forbidden("x", errors=[{"reason": "rateLimitExceeded"}]), errors.ThrottledError),
        (api.Forbidden("x", errors=[{"reason": "quotaExceeded"}]), errors.QuotaError),
        (api.BadRequest("x", response=answer(400, NOT_YET)), errors.NotReadyError),
        (api.RetryError("x", None), errors.UnavailableError),
        (auth.TransportError("x"), errors.UnavailableError),
        (requests.ConnectionError("x"), errors.UnavailableError),
        (InvalidResponse(answer(412), "x"), errors.AlreadyExistsError),
        (InvalidResponse(answer(503), "x"), errors.UnavailableError),
    ],
)  # fmt: skip
def test_googles_errors_become_ours(raised: Exception, expected: type[Exception]) -> None:
    """By code and reason, whatever the message says; the cause stays attached."""
    with pytest.raises(errors.SealtrainError) as caught, ours("the thing"):
        raise raised
    assert type(caught.value) is expected
    assert caught.value.__cause__ is raised
    assert caught.value.body.field == "the thing"


def test_other_errors_pass() -> None:
    """Our own errors and programming mistakes are left as they are."""
    for error in (errors.RefusedError("x"), KeyError("x")):
        with pytest.raises(type(error)) as caught, ours("the thing"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["ZONE_RESOURCE_POOL_EXHAUSTED"], errors.StockOutError),
        (["QUOTA_EXCEEDED"], errors.QuotaError),
        (["RESOURCE_ALREADY_EXISTS"], errors.AlreadyExistsError),
        (["UNSUPPORTED_OPERATION"], errors.UnsupportedError),
        (["RATE_LIMIT_EXCEEDED"], errors.ThrottledError),
    ],
)
def test_stock_out_quota_permission_and_unsupported_are_different(
    reasons: list[str], expected: type[Exception]
) -> None:
    """An operation's error code decides."""
    assert type(for_code(400, "x", "message", reasons)) is expected
