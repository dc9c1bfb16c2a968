"""`sys`, `time` and `uuid`: what the host knows. Source: Google's pages of those modules.

Every answer of the host is an effect: recorded once, replayed after a restart.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import limits
from ..absent import ABSENT
from ..errors import key_error, value_error
from ..values import Value
from . import arguments
from .function import Library

if TYPE_CHECKING:
    from ..strand import Strand

sys_library = Library("sys")
time_library = Library("time")
uuid_library = Library("uuid")

_SEVERITIES = frozenset(
    ["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"]
)


@sys_library.function("get_env", outward=True)
def get_env(strand: Strand, name: Value, default_value: Value = ABSENT) -> Value:
    """An environment variable, or the default; KeyError when it is unset and no default stands."""
    value = strand.execution.host.env(arguments.string(name, "name"))
    if value is not None:
        return value
    if default_value is ABSENT:
        raise key_error(name)
    return default_value


@sys_library.function("log", blocking=True, outward=True)
def log(
    strand: Strand,
    data: Value = None,
    severity: Value = "DEFAULT",
    text: Value = None,
    json: Value = None,
    timeout: Value = None,
) -> Value:
    """Write one entry to the log; exactly one of data, text and json is its content."""
    level = arguments.string(severity, "severity").upper()
    if level not in _SEVERITIES:
        raise value_error(f"unknown severity {severity!r}")
    if timeout is not None:
        arguments.number(timeout, "timeout")
    contents = [content for content in (data, text, json) if content is not None]
    if len(contents) > 1:
        raise value_error("log takes one of data, text and json")
    if json is not None:
        arguments.mapping(json, "json")
    payload = contents[0] if contents else None

    def write() -> Value:
        strand.execution.host.log(level, payload)

    return strand.effect("sys.log", write)


@sys_library.function("now", outward=True)
def now(strand: Strand) -> Value:
    """Seconds since 1970, with fraction."""
    return strand.effect("sys.now", lambda: float(strand.execution.host.now()))


@sys_library.function("sleep", blocking=True, outward=True)
def sleep(strand: Strand, seconds: Value) -> Value:
    """Wait; at most a year."""
    strand.sleep(arguments.seconds(seconds, "seconds", limits.YEAR_S))


@sys_library.function("sleep_until", blocking=True, outward=True)
def sleep_until(strand: Strand, time: Value) -> Value:
    """Wait until a point in time, given as ISO 8601; a point gone by does not wait."""
    deadline = _epoch(arguments.string(time, "time"))
    strand.wait_until(deadline)


@time_library.function("format")
def format_time(seconds: Value, timezone: Value = "UTC") -> Value:
    """Seconds since 1970 as ISO 8601 text in a time zone, such as 2022-05-12T17:07:03.8Z."""
    moment = arguments.number(seconds, "seconds")
    name = arguments.string(timezone, "timezone")
    try:
        zone = UTC if name == "UTC" else ZoneInfo(name)
        at = datetime.fromtimestamp(moment, zone)
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        raise value_error(f"cannot write {moment} in the time zone {name!r}") from None
    fraction = f".{at.microsecond:06d}".rstrip("0") if at.microsecond else ""
    offset = at.strftime("%z")
    suffix = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"
    return at.strftime("%Y-%m-%dT%H:%M:%S") + fraction + suffix


@time_library.function("parse")
def parse_time(value: Value) -> Value:
    """The seconds since 1970 of ISO 8601 text; without a zone it is UTC."""
    return _epoch(arguments.string(value, "value"))


def _epoch(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise value_error(f"not an ISO 8601 time: {text!r}") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@uuid_library.function("generate", outward=True)
def generate(strand: Strand) -> Value:
    """A random UUID as text."""
    return strand.effect("uuid.generate", strand.execution.host.new_uuid)
