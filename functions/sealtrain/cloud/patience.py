"""How patient Google's libraries may be with one call: seconds, where they would try for two to ten minutes.

- Retries have one owner: the workflow, or Pub/Sub. A function tells them in time, with 429 or 503; one that
  is still trying at its own limit ends as a 504, and the run with it.
- A connection that broke before an answer came is tried anew: pooled ones break while a function is idle.
- Cloud Storage also says "not now" for seconds, as a rule (one write to an object in a second, one new bucket
  in two): there that is bridged, too. Any other answer is told at once.
"""

from functools import cache
from typing import Any

AGAIN_WITHIN_S = 8.0
ANSWER_WITHIN_S = 20.0  # a test compares both with the step table


@cache
def briefly() -> dict[str, Any]:
    """The libraries' arguments `retry` and `timeout`."""
    from google.api_core.retry import Retry, if_exception_type
    from google.auth.exceptions import TransportError
    from requests.exceptions import ChunkedEncodingError, ConnectionError

    no_answer = if_exception_type(ConnectionError, ChunkedEncodingError, TransportError)
    return {"retry": _short(Retry(no_answer)), "timeout": ANSWER_WITHIN_S}


@cache
def storage_briefly() -> dict[str, Any]:
    """The same for Cloud Storage."""
    return {**storage_again(), "timeout": ANSWER_WITHIN_S}


@cache
def storage_again() -> dict[str, Any]:
    """Its `retry` alone, for calls that carry so much data that an answer may take longer."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"retry": _short(DEFAULT_RETRY)}


def _short(retry: Any) -> Any:
    return retry.with_delay(initial=0.1, maximum=2.0, multiplier=2.0).with_timeout(AGAIN_WITHIN_S)
