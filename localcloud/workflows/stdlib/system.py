"""`sys`, `time` and `uuid`: what the host knows. Source: Google's pages of those modules.

Every answer of the host is an effect: recorded once, replayed after a restart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import limits
from ..absent import ABSENT
from ..errors import key_error, type_error, value_error
from ..values import SCALARS, Value, encode_json, scalar_text
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
def get_env(strand: Strand, name: Value, default: Value = ABSENT) -> Value:
    """An environment variable, or the default; KeyError when it is unset and no default stands."""
    if default is not ABSENT:
        arguments.string(default, "default")
    value = strand.execution.host.env(arguments.string(name, "name"))
    if value is not None:
        return value
    if default is ABSENT:
        raise key_error(name)
    return default


@sys_library.function("log", blocking=True, outward=True)
def log(
    strand: Strand,
    data: Value = None,
    severity: Value = "DEFAULT",
    text: Value = None,
    json: Value = None,
    timeout: Value = None,
) -> Value:
    """Write one entry to the log: a map as it is, unless it is given as text; anything else as text."""
    level = arguments.string(severity, "severity").upper()
    if level not in _SEVERITIES:
        raise value_error(f"unknown severity {severity!r}")
    if timeout is not None:
        arguments.number(timeout, "timeout")
    contents = [content for content in (data, text, json) if content is not None]
    if len(contents) != 1:
        raise type_error("log takes one of data, text and json")
    if json is not None:
        arguments.mapping(json, "json")
    content = contents[0]
    payload = content if type(content) is dict and text is None else _log_text(content)

    def write() -> Value:
        strand.execution.host.log(level, payload)

    return strand.effect("sys.log", write)


def _log_text(content: Value) -> str:
    if type(content) is str:
        return content
    return scalar_text(content) if type(content) in SCALARS else encode_json(content)


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
    """Wait until a point in time, given as ISO 8601, at most a year ahead; one gone by does not wait."""
    deadline = _epoch(arguments.string(time, "time"))
    if deadline - now(strand) > limits.YEAR_S:
        raise value_error(f"time must be at most a year ahead, got {time}")
    strand.wait_until(deadline)


@time_library.function("format")
def format_time(seconds: Value, timezone: Value = "UTC") -> Value:
    """Seconds since 1970 as ISO 8601 text in a time zone, such as 2024-07-12T12:50:33.000000Z."""
    moment = arguments.number(seconds, "seconds")
    name = arguments.string(timezone, "timezone")
    try:
        zone = UTC if name in ("", "UTC") else ZoneInfo(name)
        at = datetime.fromtimestamp(moment, zone)
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        raise value_error(f"cannot write {moment} in the time zone {name!r}") from None
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + ("" if at.utcoffset() else "Z")


@time_library.function("parse")
def parse_time(value: Value) -> Value:
    """The seconds since 1970 of a time as RFC 3339 writes it (section 5.6: date, time and zone)."""
    return _epoch(arguments.string(value, "value"))


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _epoch(text: str) -> float:
    try:
        if not _RFC_3339.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text.upper()).timestamp()
    except ValueError:
        raise value_error(f"not a time such as 2024-05-08T12:01:00Z: {text!r}") from None


@uuid_library.function("generate", outward=True)
def generate(strand: Strand) -> Value:
    """A random UUID as text."""
    return strand.effect("uuid.generate", strand.execution.host.new_uuid)
